"""Batch invariance: what is computed for a token does not depend on what is computed beside it, to the last bit."""

import os
import subprocess
import sys

import pytest
import torch

from baro.models import forward
from baro.models.invariant import batch_invariant
from baro.models.sample import Sampling, sample

DRAWN = Sampling(temperature=0.8, max_new_tokens=14, end_tokens=(2,))
PROMPTS = [[9], [10, 11, 12], [20, 9, 33, 40, 12, 60, 61, 13, 14], [15, 16, 17, 18, 19], [9, 10, 11] * 18]


def both(model, as_batch, **how):
    """Log-probabilities of sampled tokens as the sampler and as the trainer has them, float32."""
    answers = sample(model, PROMPTS, sampling=DRAWN, samples=2, seed=1, **how)
    trained = forward.token_log_probs(model, as_batch(PROMPTS, answers), temperature=0.8)
    return torch.tensor([x for row in answers for one in row for x in one.log_probs]), trained.detach()


@pytest.mark.invariant("I40")
@pytest.mark.incident("T32", "T33")
def test_sampler_and_trainer_agree_to_the_last_bit(architecture, make, as_batch):
    model = make(architecture).float()
    with batch_invariant():
        sampled, trained = both(model, as_batch, slots=3)
    assert torch.equal(sampled, trained)


@pytest.fixture
def wide(make):
    """A model whose products are large enough for kernels to differ by shape."""
    return make("llama", hidden_size=256, intermediate_size=704, head_dim=64).float()


@pytest.mark.invariant("I40")
def test_so_they_do_where_kernels_differ_by_shape(wide, as_batch):
    with batch_invariant():
        sampled, trained = both(wide, as_batch, slots=3)
    assert torch.equal(sampled, trained)


ROWS = """
import torch
from baro.models.invariant import batch_invariant
torch.manual_seed(0)
rows, weight = torch.randn(100, 64), torch.randn(96, 64)
with batch_invariant():
    together = torch.nn.functional.linear(rows, weight)
    assert all(torch.equal(torch.nn.functional.linear(row[None], weight)[0], one) for row, one in zip(rows, together))
"""


@pytest.mark.slow
@pytest.mark.invariant("I40")
@pytest.mark.parametrize("instructions", ["SSE4_2", "AVX2", "AVX512"])
def test_a_row_is_computed_alike_wherever_it_lies(instructions):
    """With the kernels of smaller processors too: that library of products reads which to use as a process starts."""
    place = os.environ | {"MKL_ENABLE_INSTRUCTIONS": instructions}
    done = subprocess.run([sys.executable, "-c", ROWS], env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_which_they_do_not_otherwise(wide, as_batch):
    sampled, trained = both(wide, as_batch)
    assert not torch.equal(sampled, trained)
    torch.testing.assert_close(sampled, trained, rtol=0, atol=1e-4)


@pytest.mark.invariant("I40")
def test_neighbours_do_not_change_a_bit(make, as_batch):
    model = make("llama").float()
    with batch_invariant():
        answers = sample(model, PROMPTS, sampling=DRAWN, seed=1)
        batch = as_batch(PROMPTS, answers)
        together = forward.split(forward.token_log_probs(model, batch).detach(), batch)
        for row, prompt in enumerate(PROMPTS):
            alone = sample(model, [prompt], sampling=DRAWN, seed=1, first_row=row)
            assert alone == answers[row : row + 1]
            assert torch.equal(forward.token_log_probs(model, as_batch([prompt], alone)).detach(), together[row])


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
def test_values_and_gradients_are_the_same_as_otherwise(make, make_row, exact, name):
    found = []
    for wanted in (True, False):
        model = make(name)
        with batch_invariant(wanted):
            logs = forward.token_log_probs(model, make_row((60 if name == "gpt2" else 70, 3, 20)))
            logs.sum().backward()
        found.append([logs.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    assert len(found[0]) > 5
    for alike, plain in zip(*found, strict=True):
        torch.testing.assert_close(alike, plain, rtol=1e-9, atol=1e-9)
