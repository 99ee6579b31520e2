"""Attention sequence by sequence, prompts apart, against attention as it is defined."""

from __future__ import annotations

import pytest
import torch

from baro.models import attention, segments
from baro.models.attention import Rule
from baro.models.segments import Segments, divide

PLAIN = Rule(0.4, None, None, 0.0)
CPU = torch.device("cpu")
ROWS = [
    ((5, 9, 1, 7), ()),
    ((9, 7, 12), ((0, 0), (0, 5), (0, 5))),
    ((9, 4, 7, 8, 6, 5), ((0, 0), (0, 0), (0, 5), (1, 3), (1, 3), (0, 5))),
    ((6, 5, 5, 7), ((0, 0), (0, 5), (0, 5), (0, 5))),  # two answers without a token
]


def by_definition(query, key, value, lengths, shared) -> torch.Tensor:
    """One token at a time: softmax over the tokens of its sequence up to itself, shared ones being the owner's."""
    starts, place, where = [], 0, []
    for length, (owner, common) in zip(lengths, shared or ((0, 0),) * len(lengths), strict=True):
        own = list(range(place, place + length - common))
        starts.append(place)
        where.append(([*range(starts[owner], starts[owner] + common)] if common else []) + own)
        place += len(own)
    outputs = torch.zeros(place, query.shape[1], query.shape[3], dtype=query.dtype)
    groups = query.shape[1] // key.shape[1]
    for tokens in where:
        for index, token in enumerate(tokens):
            seen = torch.tensor(tokens[: index + 1])
            for head in range(query.shape[1]):
                weights = (query[0, head, token] @ key[0, head // groups, seen].T * 0.4).softmax(0)
                outputs[token, head] = weights @ value[0, head // groups, seen]
    return outputs[None]


@pytest.mark.invariant("I3", "I5")
@pytest.mark.incident("T26")
@pytest.mark.parametrize(("lengths", "shared"), ROWS)
def test_outputs_and_gradients_are_those_of_the_definition(lengths, shared):
    count = sum(lengths) - sum(common for _, common in shared)
    draws = torch.Generator().manual_seed(len(lengths))
    shapes = ((1, 4, count, 8), (1, 2, count, 8), (1, 2, count, 8))
    parts = [torch.randn(shape, dtype=torch.float64, generator=draws).requires_grad_() for shape in shapes]
    slope = torch.randn(1, count, 4, 8, dtype=torch.float64, generator=draws)
    found = segments.attend(*parts, divide(lengths, shared), 0.4)
    expected = by_definition(*parts, lengths, shared)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    ours, theirs = torch.autograd.grad(found, parts, slope), torch.autograd.grad(expected, parts, slope)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_a_row_is_divided_by_hand():
    assert divide((3, 2), ()) == Segments(((0, 3), (3, 5)), ())
    # prompt of 4; the second and third answers of 2 and 3 tokens stand side by side and ask it in one call
    assert divide((6, 6, 7), ((0, 0), (0, 4), (0, 4))) == Segments(((0, 6), (6, 8), (8, 11)), ((6, 11, 0, 4),))
    # answers to two prompts in turn: a call each
    mixed = divide((6, 5, 6, 5), ((0, 0), (0, 0), (0, 4), (1, 3)))
    assert mixed == Segments(((0, 6), (6, 11), (11, 13), (13, 15)), ((11, 13, 0, 4), (13, 15, 6, 9)))


def test_the_cheaper_way_is_chosen():
    prompt, answers = 300, (20, 30, 25, 40)
    lengths, shared = tuple(prompt + one for one in answers), ((0, 0), *((0, prompt),) * 3)
    plan = attention.packed(lengths, CPU, shared)
    assert plan.segments == divide(lengths, shared)
    assert plan.segments.cost() < 0.6 * sum(rows * length * (length + 32) for rows, length in plan.buckets)
    assert attention.packed((10, 11, 12) * 20, CPU).segments is None, "many short sequences go together"


@pytest.mark.parametrize(
    ("rule", "one_by_one"),
    [
        (PLAIN, True),
        (PLAIN._replace(window=400), True),
        (PLAIN._replace(window=30), False),
        (PLAIN._replace(softcap=5.0), False),
        (PLAIN._replace(dropout=0.5), False),
    ],
)
def test_rules_it_does_not_know_are_left_to_blocks(monkeypatch, rule, one_by_one):
    lengths, shared, called = (330, 325, 340), ((0, 0), (0, 300), (0, 300)), []
    plan = attention.packed(lengths, CPU, shared)
    attend = segments.attend
    monkeypatch.setattr(segments, "attend", lambda *given: (called.append(1), attend(*given))[1])
    query, key = torch.randn(1, 2, 395, 4), torch.randn(1, 1, 395, 4)
    found = plan.attend(0, query, key, key, rule)
    assert found.shape == (1, 395, 2, 4)
    assert bool(called) == one_by_one
    if not rule.dropout:
        blocks = attention.Packed(plan.buckets, plan.moves, plan.kept, plan.home).attend(0, query, key, key, rule)
        torch.testing.assert_close(found, blocks, rtol=0, atol=1e-5)
