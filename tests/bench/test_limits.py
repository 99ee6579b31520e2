"""The least arithmetic of a piece of work, against operators that were counted and against closed forms."""

import pytest
import torch

from bench import limits, world

LENGTH = 96


@pytest.fixture(scope="module")
def counted(folder) -> tuple[float, float]:
    """FLOPs of one forward pass of the real model over `LENGTH` tokens: outside attention, and in it."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder / "model", attn_implementation="eager").eval()
    tokens = torch.randint(2, world.VOCABULARY, (1, LENGTH))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(tokens)
    found = counter.get_flop_counts()["Global"]
    in_attention = found.pop(torch.ops.aten.bmm)
    return float(sum(found.values())), float(in_attention)


def test_matrices_and_head_are_those_that_a_counter_of_operators_sees(counted, size):
    cost = limits.cost(size)
    assert cost.token * LENGTH + cost.state * LENGTH == counted[0]


def test_attention_is_the_causal_half_of_what_a_counter_sees(counted, size):
    whole = limits.forward(size, LENGTH, [], states=0) - limits.cost(size).token * LENGTH
    assert whole == counted[1] / 2


def test_a_prompt_is_counted_once_however_many_answers_it_has(size):
    bare = limits.forward(size, 50, [], states=0)
    one, four = limits.forward(size, 50, [30]), limits.forward(size, 50, [30] * 4)
    assert four - bare == pytest.approx(4 * (one - bare))
    assert four < 4 * one


def test_where_the_prompt_ends_makes_no_difference_but_for_the_head(size):
    assert limits.forward(size, 50, [30], states=7) == pytest.approx(limits.forward(size, 80, [], states=7))
    assert limits.forward(size, 50, [30]) - limits.forward(size, 50, [30], states=0) == 30 * limits.cost(size).state


@pytest.mark.parametrize(("name", "parameters"), [("2m", 2e6), ("7m", 7e6), ("20m", 20e6), ("60m", 60e6)])
def test_a_token_costs_twice_the_weights_that_it_meets(name, parameters):
    cost = limits.cost(name)
    assert (cost.token + cost.state) / 2 == pytest.approx(parameters, rel=0.12)


def test_the_peak_is_more_than_a_single_product_reaches():
    from bench import clock

    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    started = clock.now()
    left @ right
    once = 2 * 1024**3 / (clock.now() - started)
    assert limits.peak(0.2) > once / 2
