"""Packing: order, positions, weights; and what a model sees of a packed row."""

import random

import pytest
import torch

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.packing import dealt, documents_to_blocks, micro_batches, pack, pair_batches, pairs

A = Sequence([5, 6, 7], [False, True, True], "a:1")
B = Sequence([8], [True], "b:1")
C = Sequence([9, 10], [True, True], "c:1")


def drawn(count, seed, longest=12):
    """Random sequences, some of them with nothing learnt."""
    random.seed(seed)
    rows = []
    for row in range(count):
        size = random.randint(1, longest)
        share = random.choice([0.0, 0.5, 1.0])
        tokens = [random.randrange(50) for _ in range(size)]
        rows.append(Sequence(tokens, [random.random() < share for _ in range(size)], f"f:{row}"))
    return rows


def pieces(batch):
    """What a batch holds of every sequence."""
    sizes = list(batch.lengths)
    split = zip(batch.tokens.split(sizes), batch.learn.split(sizes), batch.positions.split(sizes), strict=True)
    return [tuple(map(torch.Tensor.tolist, parts)) for parts in split]


@pytest.mark.invariant("I5")
@pytest.mark.incident("T27")
def test_pack_by_hand():
    batch = pack([A, B, C])
    assert batch.tokens.tolist() == [5, 6, 7, 8, 9, 10]
    assert batch.positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert batch.learn.tolist() == [False, True, True, False, False, True]
    assert batch.lengths == (3, 1, 2)
    assert batch.count == 3
    assert batch.where == ("a:1", "b:1", "c:1")
    assert (batch.tokens.dtype, batch.positions.dtype, batch.learn.dtype) == (torch.int64, torch.int64, torch.bool)


@pytest.mark.invariant("I6")
@pytest.mark.incident("T20")
def test_a_sequence_with_nothing_learnt_stays_and_weighs_nothing():
    silent = Sequence([1, 2], [False, False])
    assert pack([silent]).count == 0
    assert pack([A, silent]).count == pack([A]).count == 2
    assert pack([A, silent]).learnt_per_sequence().tolist() == [2, 0]


@pytest.mark.invariant("I3")
@pytest.mark.parametrize("limit", [{}, {"max_sequences": 1}, {"max_sequences": 4}, {"max_tokens": 12}])
def test_micro_batches_keep_every_sequence_whatever_the_split(limit):
    rows = drawn(40, seed=1)
    batches = micro_batches(rows, **limit)
    want = [(r.tokens, [False, *r.learn[1:]], list(range(len(r.tokens)))) for r in rows]
    assert [piece for batch in batches for piece in pieces(batch)] == want
    assert [name for batch in batches for name in batch.where] == [row.where for row in rows]
    assert sum(batch.count for batch in batches) == sum(row.count for row in rows)
    assert all(len(batch.tokens) <= limit.get("max_tokens", 10**9) for batch in batches)
    assert all(len(batch.lengths) <= limit.get("max_sequences", 10**9) for batch in batches)


@pytest.mark.invariant("I3")
@pytest.mark.parametrize("rows", [0, 1, 7, 32])
@pytest.mark.parametrize("limit", [1, 3, 8, 40])
def test_dealing_keeps_every_row_and_fills_no_more_groups_than_it_must(rows, limit):
    sizes = random.Random(rows).choices(range(1, 100), k=rows)
    groups = dealt(list(enumerate(sizes)), limit, lambda row: row[1])
    assert sorted(row for group in groups for row in group) == list(enumerate(sizes))
    assert len(groups) == -(-rows // limit)
    assert all(group == sorted(group) and 0 < len(group) <= limit for group in groups)


@pytest.mark.parametrize(
    ("sizes", "limit", "groups"),
    [
        ([9, 8, 1, 2], 2, [[9, 1], [8, 2]]),
        ([1, 9, 1, 1, 9, 1], 3, [[1, 9, 1], [1, 9, 1]]),
        ([9, 1, 1, 1], 2, [[9, 1], [1, 1]]),  # the limit comes before the balance
        ([3, 1, 2], 3, [[3, 1, 2]]),
    ],
)
def test_dealt_by_hand(sizes, limit, groups):
    assert sorted(dealt(sizes, limit, lambda size: size)) == sorted(groups)


@pytest.mark.invariant("I3")
def test_packing_order_moves_sequences_and_changes_none():
    rows = drawn(20, seed=2)
    shuffled = random.sample(rows, len(rows))
    assert sorted(pieces(pack(shuffled))) == sorted(pieces(pack(rows)))
    assert pack(shuffled).count == pack(rows).count


def test_micro_batches_fill_greedily():
    lengths = [batch.lengths for batch in micro_batches([A, B, C, A], max_tokens=4)]
    assert lengths == [(3, 1), (2,), (3,)]


def test_a_sequence_longer_than_a_micro_batch_is_named():
    with pytest.raises(DataError, match=r"a:1: a sequence of 3 tokens does not fit into a micro-batch of 2\."):
        micro_batches([B, A], max_tokens=2)


def test_pairs_lie_side_by_side_and_count_as_pairs():
    batch = pairs([(A, B), (C, A)])
    assert batch.where == ("a:1", "b:1", "c:1", "a:1")
    assert batch.lengths == (3, 1, 2, 3)
    assert batch.count == 2


def test_pair_batches_divide_no_pair():
    rows = [(A, B), (C, A), (B, B)]
    assert [batch.lengths for batch in pair_batches(rows, max_tokens=7)] == [(3, 1), (2, 3, 1, 1)]
    assert [batch.count for batch in pair_batches(rows, max_pairs=2)] == [2, 1]
    with pytest.raises(DataError, match="a pair of 5 tokens"):
        pair_batches(rows, max_tokens=4)


def test_blocks_by_hand():
    document = Sequence([1, 2, 3, 4, 5, 6], [False, True, True, True, True, True], "d:1")
    cut = documents_to_blocks([document], 3)
    assert [piece.tokens for piece in cut] == [[1, 2, 3], [3, 4, 5], [5, 6]]
    assert [piece.learn for piece in cut] == [[False, True, True], [False, True, True], [False, True]]
    assert {piece.where for piece in cut} == {"d:1"}
    assert documents_to_blocks([document], 6) == [document]
    with pytest.raises(DataError, match="a block of 1 tokens"):
        documents_to_blocks([document], 1)


@pytest.mark.parametrize("block", [2, 3, 5, 8])
def test_blocks_learn_every_token_once(block):
    rows = drawn(60, seed=block, longest=30)
    for row in rows:
        cut = documents_to_blocks([row], block)
        learnt = [token for piece in cut for token, on in zip(piece.tokens[1:], piece.learn[1:], strict=True) if on]
        assert learnt == [token for token, on in zip(row.tokens[1:], row.learn[1:], strict=True) if on]
        assert max(len(piece.tokens) for piece in cut) <= block


class Toy:
    """A causal model by hand: what is seen at a position is the running mean of embeddings, places included."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.words = torch.randn(50, 8, generator=generator, dtype=torch.float64)
        self.places = torch.randn(64, 8, generator=generator, dtype=torch.float64)

    def logits(self, tokens, positions):
        seen = (self.words[tokens] + self.places[positions]).cumsum(0)
        return seen / torch.arange(1, len(tokens) + 1)[:, None] @ self.words.T

    def packed(self, batch, lengths=None):
        """(T, V) logits; every segment by itself."""
        sizes = list(lengths or batch.lengths)
        rows = zip(batch.tokens.split(sizes), batch.positions.split(sizes), strict=True)
        return torch.cat([self.logits(*row) for row in rows])

    @staticmethod
    def loss(logits, batch):
        """Summed over what is learnt; position t is predicted at t - 1."""
        at = batch.learn.nonzero().squeeze(1)
        return -logits.log_softmax(-1)[at - 1, batch.tokens[at]].sum()


@pytest.mark.invariant("I5")
@pytest.mark.incident("T26")
@pytest.mark.incident("T27")
def test_packed_is_the_sum_of_separate_and_naive_packing_is_not():
    toy, rows = Toy(), drawn(6, seed=3)
    batch = pack(rows)
    separate = sum(toy.loss(toy.packed(one), one) for one in map(pack, [[row] for row in rows]))
    torch.testing.assert_close(toy.loss(toy.packed(batch), batch), separate, rtol=1e-12, atol=0)
    one_row = toy.loss(toy.packed(batch, [len(batch.tokens)]), batch)
    assert abs(one_row - separate) > 1e-2, "the fixture must tell a contaminated row from a clean one"


@pytest.mark.invariant("I5")
def test_one_document_changes_no_logit_of_another():
    toy = Toy()
    before = toy.packed(pack([A, C]))
    after = toy.packed(pack([Sequence([1, 2, 3], A.learn), C]))
    assert torch.equal(before[3:], after[3:])
    assert not torch.equal(before[:3], after[:3])


@pytest.mark.invariant("I6")
def test_no_gradient_where_nothing_is_learnt():
    toy, batch = Toy(), pack(drawn(6, seed=4))
    logits = toy.packed(batch).requires_grad_()
    toy.loss(logits, batch).backward()
    read = torch.zeros(len(batch.tokens), dtype=torch.bool)
    read[batch.learn.nonzero().squeeze(1) - 1] = True
    assert (logits.grad[~read] == 0).all()
    assert (logits.grad[read].abs().sum(-1) > 0).all()


def test_equal_prompts_are_shared_by_hand():
    """A prompt is what stands before the first learnt token; only whole equal prompts are shared, in any order."""
    one, other = [1, 2, 3, 4], [1, 2, 9, 4]
    rows = [
        Sequence([*one, 5], [False] * 4 + [True]),
        Sequence([*other, 5], [False] * 4 + [True]),
        Sequence([*one, 6, 7], [False] * 4 + [True, True]),
        Sequence([*one, 5, 5], [False] * 5 + [True]),
        Sequence(one, [False] * 4),
    ]
    assert pack(rows).shared == ((0, 0), (1, 0), (0, 4), (3, 0), (0, 4))
    assert pairs([(rows[0], rows[2])]).shared == ((0, 0), (0, 4))
    assert pairs([(rows[0], rows[2])]).count == 1
    assert pack(rows[:2]).shared == ()
    long = Sequence([8] * 70, [False] * 6 + [True] * 64)
    assert pack([rows[0], rows[2], long]).shared == (), "four tokens in 81 are not worth it"
