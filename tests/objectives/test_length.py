"""The correlation that ODIN pulls to 0: against numpy, at its limits, and its gradient."""

import math

import numpy as np
import pytest
import torch

from baro.objectives.length import correlation, scaled


def draw(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))


def test_it_is_pearson_s():
    scores, lengths = draw()
    assert correlation(scores, lengths).item() == pytest.approx(np.corrcoef(scores, lengths)[0, 1])
    assert correlation(3 * scores - 1, 5 * lengths + 2).item() == pytest.approx(correlation(scores, lengths).item())
    assert correlation(-scores, lengths).item() == pytest.approx(-correlation(scores, lengths).item())


def test_limits():
    lengths = torch.arange(5.0)
    assert correlation(2 * lengths, lengths).item() == pytest.approx(1.0)
    assert correlation(torch.ones(5), lengths).item() == 0.0
    assert correlation(lengths, torch.ones(5)).item() == 0.0
    flat = torch.ones(5, requires_grad=True)
    correlation(flat, lengths).backward()
    assert torch.isfinite(flat.grad).all()


def test_the_gradient_is_that_of_finite_differences_and_following_it_removes_the_correlation():
    scores, lengths = draw(12)
    scores = (scores + lengths).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: correlation(s, lengths), [scores])
    free = scores.detach().clone().requires_grad_()
    optimiser = torch.optim.SGD([free], lr=0.5)
    for _ in range(300):
        optimiser.zero_grad()
        correlation(free, lengths).square().backward()
        optimiser.step()
    assert abs(correlation(free, lengths).item()) < 0.02


def test_doubling_a_length_counts_the_same_everywhere():
    found = scaled(torch.tensor([1, 2, 4, 8, 0]))
    assert found.diff()[:3].tolist() == pytest.approx([math.log(2)] * 3)
    assert found[-1] == 0.0
