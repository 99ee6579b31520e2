"""The order of the data: a pure function of (seed, epoch, index), whatever the ranks, resumable anywhere."""

import json
from itertools import chain

import numpy as np
import pytest

from baro.core.errors import CheckpointError, DataError
from baro.core.types import Sequence
from baro.data.packing import micro_batches
from baro.data.stream import Stream, Updates, permutation, steps_in


def build(rows):
    """One-token sequences named by their row, two to a micro-batch."""
    return micro_batches([Sequence([row], [False], str(row)) for row in rows], max_sequences=2)


@pytest.mark.invariant("I65")
def test_every_epoch_sees_every_row_once_and_ends_with_its_own_partial_step():
    steps = list(Stream(10, updates=6, per_update=4, seed=3))
    assert [len(step) for step in steps] == [4, 4, 2, 4, 4, 2]
    first, second = list(chain(*steps[:3])), list(chain(*steps[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_drop_last_leaves_the_partial_step_out():
    steps = list(Stream(10, updates=4, per_update=4, seed=3, drop_last=True))
    assert [len(step) for step in steps] == [4, 4, 4, 4]
    assert len(set(chain(*steps[:2]))) == 8


@pytest.mark.invariant("I65")
def test_the_order_depends_on_seed_and_epoch_alone():
    orders = {(seed, epoch): tuple(permutation(50, seed=seed, epoch=epoch)) for seed in range(3) for epoch in range(3)}
    assert len(set(orders.values())) == 9
    stream = Stream(50, updates=9, per_update=20, seed=1)
    list(stream)
    assert [row for step in (3, 4, 5) for row in stream.at(step)] == list(orders[1, 1])


def test_the_order_is_that_of_raw_philox_draws():
    draws = np.random.Philox(np.random.SeedSequence([7, 2])).random_raw(100).tolist()
    assert permutation(100, seed=7, epoch=2).tolist() == sorted(range(100), key=draws.__getitem__)


def test_the_order_is_fair():
    """Mean place of row 0 over 2,000 epochs of 20 rows: 9.5 with standard error 5.77 / sqrt(2000) = 0.13."""
    places = [permutation(20, seed=0, epoch=epoch).tolist().index(0) for epoch in range(2000)]
    assert abs(np.mean(places) - 9.5) < 4 * 0.13


@pytest.mark.invariant("I65", "I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("stop", range(0, 8))
def test_resumed_anywhere_it_goes_on_as_if_nothing_happened(stop):
    whole = list(Stream(10, updates=7, per_update=3, seed=5))
    broken = Stream(10, updates=7, per_update=3, seed=5)
    seen = [next(broken) for _ in range(min(stop, 7))]
    state = json.loads(json.dumps(broken.state()))
    resumed = Stream(10, updates=7, per_update=3, seed=5)
    next(resumed)
    resumed.restore(state)
    assert seen + list(resumed) == whole


@pytest.mark.invariant("I65")
@pytest.mark.parametrize("world", [1, 2, 4])
def test_any_number_of_ranks_visits_the_same_global_sequence(world):
    stream = Stream(23, updates=8, per_update=6, seed=9)
    alone = [[batch.where for batch in update] for update in Updates(stream, build)]
    ranks = [Updates(Stream(23, updates=8, per_update=6, seed=9), build) for _ in range(world)]
    for expected, *updates in zip(alone, *ranks, strict=True):
        shares = [[batch.where for batch in update[rank::world]] for rank, update in enumerate(updates)]
        together = [shares[place % world][place // world] for place in range(len(expected))]
        assert together == expected


def test_more_steps_may_be_asked_for_on_resume():
    state = Stream(10, updates=2, per_update=3, seed=5).state()
    longer = Stream(10, updates=9, per_update=3, seed=5)
    longer.restore(state)
    assert len(longer) == 9


@pytest.mark.parametrize("change", [{"n": 11}, {"per_update": 4}, {"seed": 6}, {"drop_last": True}])
def test_another_order_is_refused_on_resume(change):
    same = {"n": 10, "updates": 5, "per_update": 3, "seed": 5}
    name = next(iter(change))
    with pytest.raises(CheckpointError, match=rf"not the one of the checkpoint: {name} "):
        Stream(**{**same, **change}).restore(Stream(**same).state())


@pytest.mark.parametrize(("n", "drop_last"), [(0, False), (3, True)])
def test_rows_that_fill_no_update_are_refused(n, drop_last):
    with pytest.raises(DataError, match=rf"{n} rows do not fill one update of 4\."):
        Stream(n, updates=1, per_update=4, seed=0, drop_last=drop_last)


def test_steps_in():
    assert steps_in(10, 4) == 3
    assert steps_in(10, 4, drop_last=True) == 2
    assert steps_in(10, 4, epochs=1.5) == 5
    assert steps_in(0, 4) == 0


def test_updates_pass_the_state_of_their_stream():
    updates = Updates(Stream(10, updates=4, per_update=4, seed=1), build)
    first = [batch.where for batch in next(updates)]
    assert len(updates) == 4
    assert [len(where) for where in first] == [2, 2]
    state = updates.state()
    rest = [[batch.where for batch in update] for update in updates]
    updates.restore(state)
    assert [[batch.where for batch in update] for update in updates] == rest
