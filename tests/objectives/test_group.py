"""Advantages within groups, their aggregation and DAPO's price of length: closed forms, limits, invariances."""

import math
from itertools import pairwise

import pytest
import torch

from baro.objectives.advantage import group_relative, leave_one_out, overlong
from baro.objectives.policy import clipped_fraction, clipped_policy, token_weights, whole_answers

SCALES = ["group", "batch", "none"]


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# --- advantages ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I43")
def test_leave_one_out_against_the_others_one_by_one(scores):
    found = leave_one_out(scores)
    for row, got in zip(scores.tolist(), found.tolist(), strict=True):
        for place, score in enumerate(row):
            others = row[:place] + row[place + 1 :]
            assert got[place] == pytest.approx(score - math.fsum(others) / 5, abs=1e-12)
    torch.testing.assert_close(found.sum(1), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.invariant("I43", "I45")
def test_leave_one_out_is_the_centred_score_times_k_over_k_minus_1(scores):
    torch.testing.assert_close(leave_one_out(scores), 6 / 5 * group_relative(scores, scale="none"))


@pytest.mark.invariant("I43")
@pytest.mark.incident("T39")
def test_a_group_of_one_has_no_advantage():
    alone = torch.tensor([[3.0], [-1.0]])
    assert leave_one_out(alone).tolist() == [[0.0], [0.0]]
    for scale in SCALES:
        assert group_relative(alone, scale=scale).tolist() == [[0.0], [0.0]]


@pytest.mark.invariant("I44")
@pytest.mark.parametrize(("factor", "offset"), [(7.0, 0.0), (1e-6, 3.0), (1e5, -2e5)])
def test_group_advantages_ignore_scale_and_offset(scores, factor, offset):
    moved = group_relative(factor * scores + offset, scale="group")
    torch.testing.assert_close(moved, group_relative(scores, scale="group"), atol=1e-7, rtol=1e-7)
    flipped = group_relative(-factor * scores, scale="group")
    torch.testing.assert_close(flipped, -group_relative(scores, scale="group"), atol=1e-7, rtol=1e-7)


@pytest.mark.invariant("I44")
@pytest.mark.parametrize("right", range(1, 8))
def test_right_and_wrong_answers_have_the_closed_form(right):
    p = right / 8
    row = torch.tensor([[1.0] * right + [0.0] * (8 - right)], dtype=torch.float64)
    found = group_relative(row, scale="group")[0]
    assert found[0].item() == pytest.approx(math.sqrt((1 - p) / p), rel=1e-12)
    assert found[-1].item() == pytest.approx(-math.sqrt(p / (1 - p)), rel=1e-12)


@pytest.mark.invariant("I44")
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, -7.7, 1e9])
def test_answers_that_score_alike_teach_nothing(scale, value):
    """Also where the mean of equal numbers is not exactly that number."""
    assert group_relative(torch.full((2, 7), value), scale=scale).abs().max() == 0
    mixed = torch.tensor([[value] * 3, [0.0, 1.0, 2.0]])
    found = group_relative(mixed, scale=scale)
    assert found[0].tolist() == [0.0] * 3
    assert found[1, 2] > 0
    assert torch.isfinite(found).all()


def test_the_three_scales_differ_by_a_factor_only(scores):
    plain = group_relative(scores, scale="none")
    torch.testing.assert_close(plain.sum(1), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)
    per_row = plain / group_relative(scores, scale="group")
    assert (per_row.amax(1) - per_row.amin(1)).max() < 1e-9
    assert len({round(value, 9) for value in per_row[:, 0].tolist()}) == 5
    over_all = plain / group_relative(scores, scale="batch")
    assert over_all.max() - over_all.min() < 1e-9
    assert over_all[0, 0].item() == pytest.approx(scores.flatten().numpy().std(), rel=1e-9)


# --- overlong shaping ------------------------------------------------------------------------------------------------


@pytest.mark.incident("T10")
def test_the_price_of_length_at_the_papers_lengths():
    lengths = torch.tensor([0, 16384, 18432, 19456, 20480, 30000])
    found = overlong(lengths, longest=20480, margin=4096)
    assert found.tolist() == pytest.approx([0, 0, -0.5, -0.75, -1, -1])


def test_the_price_of_length_falls_in_a_line_and_has_no_jump():
    found = overlong(torch.arange(0, 40), longest=30, margin=10).tolist()
    assert found[:21] == [0] * 21
    assert [round(b - a, 6) for a, b in pairwise(found[20:31])] == [-0.1] * 10
    assert found[30:] == [-1] * 10


# --- aggregation -----------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I45")
@pytest.mark.incident("T10")
def test_aggregations_by_hand():
    losses, lengths = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), torch.tensor([1, 4])

    def mean(per):
        return ((token_weights(lengths, per=per, longest=10) * losses).sum() / 5).item()

    assert mean("token") == pytest.approx(31 / 5)
    assert mean("answer") == pytest.approx((1 + 30 / 4) / 2)
    assert mean("limit") == pytest.approx(31 / (2 * 10))


@pytest.mark.invariant("I45")
def test_over_tokens_and_over_answers_agree_when_lengths_do():
    equal, unequal = torch.tensor([3, 3, 3]), torch.tensor([3, 2, 4])
    for lengths, same in ((equal, True), (unequal, False)):
        answer = token_weights(lengths, per="answer", longest=5)
        assert torch.equal(answer, token_weights(lengths, per="token", longest=5)) is same
    torch.testing.assert_close(token_weights(equal, per="limit", longest=3), torch.ones(9))


@pytest.mark.parametrize("per", ["token", "answer", "limit"])
def test_an_answer_of_no_token_counts_nowhere(per):
    found = token_weights(torch.tensor([2, 0, 3, 0]), per=per, longest=4)
    assert torch.equal(found, token_weights(torch.tensor([2, 3]), per=per, longest=4))
    assert token_weights(torch.tensor([0]), per=per, longest=4).numel() == 0


def test_dr_grpo_punishes_long_wrong_answers_as_much_as_short_ones():
    """GRPO's length bias: a wrong answer of 8 tokens loses half as much per token as one of 4."""
    lengths = torch.tensor([4, 8])
    answer = token_weights(lengths, per="answer", longest=16)
    assert answer[0].item() == pytest.approx(2 * answer[-1].item())
    assert len(set(token_weights(lengths, per="limit", longest=16).tolist())) == 1


# --- whole answers ---------------------------------------------------------------------------------------------------


@pytest.mark.incident("T38")
def test_a_whole_answers_ratio_is_the_product_or_the_geometric_mean():
    old, lengths = torch.log(torch.tensor([0.5, 0.25, 0.1], dtype=torch.float64)), torch.tensor([2, 1])
    now = torch.log(torch.tensor([0.25, 0.5, 0.2], dtype=torch.float64))
    for mean, expected in ((False, [1.0, 1.0, 2.0]), (True, [1.0, 1.0, 2.0])):
        ratio = (whole_answers(now, old, lengths, mean=mean) - old).exp()
        assert ratio.tolist() == pytest.approx(expected)
    now = torch.log(torch.tensor([0.5, 0.5, 0.2], dtype=torch.float64))  # ratios 1 and 2
    assert (whole_answers(now, old, lengths, mean=False) - old).exp()[:2].tolist() == pytest.approx([2.0, 2.0])
    root = (whole_answers(now, old, lengths, mean=True) - old).exp()
    assert root[:2].tolist() == pytest.approx([math.sqrt(2)] * 2)
    assert root[2].item() == pytest.approx(2.0)  # one token: the ratio of the token


@pytest.mark.incident("T38")
def test_where_nothing_has_moved_the_gradient_of_a_whole_answer_is_that_of_its_tokens():
    """ρ = 1: GSPO's gradient is GRPO's; RLOO's is that of the sum of the tokens' log-probabilities."""
    old = torch.randn(7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    lengths, credit = torch.tensor([2, 4, 1]), torch.tensor([1.5, 1.5, -1, -1, -1, -1, 0.5], dtype=torch.float64)
    weight = token_weights(lengths, per="answer", longest=9).double()

    def gradient(change) -> torch.Tensor:
        now = old.clone().requires_grad_()
        losses = clipped_policy(change(now), old, credit, clip_low=0.2, clip_high=0.2)
        return torch.autograd.grad((weight * losses).sum() / 7, now)[0]

    torch.testing.assert_close(gradient(lambda now: whole_answers(now, old, lengths, mean=True)), gradient(lambda x: x))
    torch.testing.assert_close(gradient(lambda now: whole_answers(now, old, lengths, mean=False)), -credit / 3)


@pytest.mark.invariant("I30")
def test_clip_higher_leaves_room_for_what_is_to_become_likelier():
    old = torch.zeros(4)
    now = torch.log(torch.tensor([1.25, 1.29, 0.79, 1.25])).requires_grad_()
    credit = torch.tensor([1.0, 1.0, -1.0, -1.0])
    clip = {"clip_low": 0.2, "clip_high": 0.28}
    gradient = torch.autograd.grad(clipped_policy(now, old, credit, **clip).sum(), now)[0]
    assert (gradient != 0).tolist() == [True, False, False, True]
    assert clipped_fraction(now.detach(), old, credit, **clip).tolist() == [0, 1, 1, 0]
