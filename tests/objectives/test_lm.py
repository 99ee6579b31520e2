import math

import pytest
import torch

from baro.objectives import lm


def test_next_token_is_the_negative_log_probability_and_stays_unreduced():
    log_probs = torch.tensor([0.5, 0.25, 1.0]).log()
    assert lm.next_token(log_probs).tolist() == pytest.approx([math.log(2), math.log(4), 0.0])


@pytest.mark.invariant("I1")
def test_uniform_logits_cost_ln_v():
    log_probs = torch.zeros(7, 50, dtype=torch.float64).log_softmax(-1)[:, 3]
    assert lm.next_token(log_probs).tolist() == pytest.approx([math.log(50)] * 7, rel=1e-12)


@pytest.mark.invariant("I37")
def test_a_certain_token_costs_nothing_and_pulls_on_nothing():
    log_probs = torch.zeros(3, requires_grad=True)
    loss = lm.next_token(log_probs)
    assert loss.abs().sum() == 0
    logits = torch.tensor([80.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    lm.next_token(logits.log_softmax(-1)[:1]).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-30


def test_perplexity_of_a_uniform_choice_is_the_number_of_choices():
    assert lm.perplexity(math.log(50)) == pytest.approx(50, rel=1e-12)
    assert lm.perplexity(0.0) == 1.0
    assert lm.perplexity(5000.0) == math.inf


def test_bits_per_byte():
    # 16 bytes at 1 bit each is 16 ln 2 nats; a uniform guess over bytes costs 8 bits
    assert lm.bits_per_byte(16 * math.log(2), 16) == pytest.approx(1.0)
    assert lm.bits_per_byte(10 * math.log(256), 10) == pytest.approx(8.0)
