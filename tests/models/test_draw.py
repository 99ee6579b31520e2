from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from baro.models.draw import Sampling, draw, filtered, stream, uniforms


def test_the_generator_is_splitmix64():
    """The first outputs for seed 1234567, as published with its reference implementation (Vigna, prng.di.unimi.it)."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = uniforms(np.full(5, 1234567, dtype=np.uint64), np.arange(5, dtype=np.uint64))
    assert found.tolist() == [(word >> 11) / 2**53 for word in published]


def test_numbers_are_uniform_along_every_coordinate():
    steps = uniforms(np.full(4000, stream(1, 2, 3), dtype=np.uint64), np.arange(4000, dtype=np.uint64))
    rows = uniforms(
        np.array([stream(1, row, 0) for row in range(4000)], dtype=np.uint64), np.zeros(4000, dtype=np.uint64)
    )
    seeds = uniforms(np.array([stream(s, 0, 0) for s in range(4000)], dtype=np.uint64), np.zeros(4000, dtype=np.uint64))
    for numbers in (steps, rows, seeds):
        assert kstest(numbers, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 4 / math.sqrt(4000)
    assert len({stream(a, b, c) for a in range(12) for b in range(12) for c in range(12)}) == 12**3


@pytest.mark.parametrize("tokens", [5, 64, 150])
def test_the_inverse_of_the_distribution_by_hand(tokens):
    """Probabilities 0 except 1/8, 1/2, 3/8 at three places: each number falls where the cumulative sum says."""
    places = [1, tokens // 2, tokens - 1]
    logits = torch.full((6, tokens), -torch.inf)
    logits[:, places] = torch.tensor([1 / 8, 1 / 2, 3 / 8]).log()
    numbers = np.array([0.0, 0.1249, 0.1251, 0.6249, 0.6251, 1 - 2**-53])
    found, logs = draw(logits, numbers, Sampling())
    assert found.tolist() == [places[0], places[0], places[1], places[1], places[2], places[2]]
    assert logs.exp().tolist() == pytest.approx([1 / 8, 1 / 8, 1 / 2, 1 / 2, 3 / 8, 3 / 8], abs=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_sampled_distribution_is_the_softmax(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 90, generator=generator)
    draws = 10_000
    streams = np.array([stream(0, row, 0) for row in range(draws)], dtype=np.uint64)
    numbers = uniforms(streams, np.zeros(draws, dtype=np.uint64))
    tokens, logs = draw(logits.expand(draws, -1), numbers, Sampling(temperature=temperature))
    expected = torch.softmax(logits[0].double() / temperature, 0)
    counts = np.bincount(tokens.numpy(), minlength=90)
    usual = (expected * draws).numpy() >= 5
    seen, due = counts[usual], (expected * draws).numpy()[usual]
    assert chisquare(seen, due * seen.sum() / due.sum()).pvalue > 1e-3
    torch.testing.assert_close(logs, expected.log()[tokens], rtol=0, atol=1e-5)


def kept(logits, **options) -> list[int]:
    return filtered(torch.tensor([logits]), Sampling(**options))[0].isfinite().nonzero()[:, 0].tolist()


def test_filters_by_hand():
    logits = [math.log(p) for p in (0.1, 0.4, 0.05, 0.25, 0.2)]
    assert kept(logits) == [0, 1, 2, 3, 4]
    assert kept(logits, top_k=1) == [1]
    assert kept(logits, top_k=3) == [1, 3, 4]
    assert kept(logits, top_k=9) == [0, 1, 2, 3, 4]
    assert kept([0.0, 1.0, 1.0, 0.0], top_k=1) == [1, 2], "ties with the k-th stay"
    assert kept(logits, top_p=0.39) == [1]
    assert kept(logits, top_p=0.64) == [1, 3]
    assert kept(logits, top_p=0.66) == [1, 3, 4]
    assert kept(logits, top_p=0.0) == [1], "the most probable always stays"
    assert kept(logits, min_p=0.49) == [1, 3, 4]
    assert kept(logits, min_p=0.51) == [1, 3]
    assert kept(logits, min_p=1.0) == [1]
    # of the three that top_k leaves, 0.4/0.85 = 0.47 and 0.25/0.85 = 0.29 together pass 0.7
    assert kept(logits, top_k=3, top_p=0.7) == [1, 3]
    assert kept(logits, top_p=0.7) == [1, 3, 4]


@pytest.mark.parametrize(
    "options", [{"top_k": 7}, {"top_p": 0.6}, {"min_p": 0.2}, {"top_k": 20, "top_p": 0.8, "min_p": 0.1}]
)
def test_filters_equal_those_of_transformers(options):
    from transformers.generation import logits_process as theirs

    logits = torch.randn(50, 40, generator=torch.Generator().manual_seed(1)) * 3
    expected = logits
    if "top_k" in options:
        expected = theirs.TopKLogitsWarper(options["top_k"])(None, expected)
    if "top_p" in options:
        expected = theirs.TopPLogitsWarper(options["top_p"])(None, expected)
    if "min_p" in options:
        expected = theirs.MinPLogitsWarper(options["min_p"])(None, expected)
    assert torch.equal(filtered(logits, Sampling(**options)).isfinite(), expected.isfinite())


def test_log_probs_are_those_of_the_filtered_distribution():
    logits = torch.tensor([[math.log(p) for p in (0.1, 0.4, 0.05, 0.25, 0.2)]]).expand(200, -1)
    numbers = (np.arange(200) + 0.5) / 200
    tokens, logs = draw(logits, numbers, Sampling(top_k=2))
    assert set(tokens.tolist()) == {1, 3}
    assert logs[tokens == 1].exp().tolist() == pytest.approx([0.4 / 0.65] * int((tokens == 1).sum()), abs=1e-6)
    assert (tokens == 1).float().mean() == pytest.approx(0.4 / 0.65, abs=0.01)


def test_temperature_zero_takes_the_best_with_certainty():
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    tokens, logs = draw(logits, np.array([0.99, 0.99]), Sampling(temperature=0))
    assert tokens.tolist() == [1, 0]
    assert logs.tolist() == [0.0, 0.0]
