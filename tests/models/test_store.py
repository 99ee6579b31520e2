"""Slots and columns: what was stored is found again, wherever it was moved to."""

import random
from itertools import pairwise

import pytest
import torch

from baro.models.store import BLOCK, GROUPS, Store, borders, groups, seated


@pytest.mark.parametrize("seed", range(5))
def test_everybody_has_a_seat_in_the_group_of_its_length(seed):
    draws = random.Random(seed)
    for count in (0, 1, 3, 9, 32):
        held = draws.sample(range(40), count)
        lengths = [draws.randrange(1, 20) for _ in held]
        seats = seated(held, lengths)
        assert sorted(seats) == list(range(count))
        by_slot = [lengths[seats.index(slot)] for slot in range(count)]
        edges = borders(count, GROUPS[-1])
        parts = [by_slot[start:end] for start, end in pairwise(edges) if start < end]
        for longer, shorter in pairwise(parts):
            assert min(longer) >= max(shorter)
        assert seated(seats, lengths) == seats, "who sits well stays"


def test_one_that_leaves_moves_one_a_group_at_most():
    lengths = list(range(64, 0, -1))
    held = list(range(64))
    for left in (0, 20, 40, 63):
        others = [slot for slot in held if slot != left]
        seats = seated(others, [lengths[slot] for slot in others])
        assert sum(old != new for old, new in zip(others, seats, strict=True)) <= GROUPS[-1] * 2


def test_groups_cover_all_slots_and_cost_no_more_than_one():
    draws = random.Random(0)
    for count in (1, 2, 7, 32, 100):
        for most in (3, 400):
            lengths = [draws.randrange(1, most + 1) for _ in range(count)]
            found = groups(lengths, torch.device("cpu"))
            slots = [slot for start, end, _ in found for slot in range(start, end)]
            assert slots == list(range(count))
            for start, end, longest in found:
                assert longest == max(lengths[start:end])
    even, uneven = groups([300] * 32, torch.device("cpu")), groups([*[900] * 8, *[20] * 24], torch.device("cpu"))
    assert even == [(0, 32, 300)]
    assert uneven[0] == (0, 8, 900)


def test_what_was_stored_is_found_after_everything_that_happens_to_a_store():
    """Sequences come, grow, move and leave; beside the store a list of what each must hold."""
    draws, generator = random.Random(0), torch.Generator().manual_seed(0)
    store, held = Store(6), list[list[torch.Tensor]]()

    def tokens(count):
        return [torch.randn(2, count, 3, generator=generator) for _ in range(2)]

    grown = 0
    for _ in range(600):
        stay = [slot for slot in range(len(held)) if draws.random() > 0.04]
        sizes = [held[slot][0].shape[1] for slot in stay]
        seats = seated(stay, sizes)
        store.move(stay, seats, sizes)
        held = [held[stay[seats.index(slot)]] for slot in range(len(stay))]
        new = [tokens(draws.choice([1, 30, 90])) for _ in range(draws.randrange(2)) if len(held) < 6]
        kept = max((part[0].shape[1] for part in held), default=0)
        store.advance(max([1, kept + 1, *(part[0].shape[1] for part in new)]), kept)
        grown += store.length > BLOCK
        assert store.end <= store.length
        if held:
            key, value = tokens(len(held))
            store.append(0, key, value)
            held = [
                [torch.cat([part[0], key[:, [slot]]], 1), torch.cat([part[1], value[:, [slot]]], 1)]
                for slot, part in enumerate(held)
            ]
        for part in new:
            store.write(0, len(held), *part)
            held.append(part)
        for slot, part in enumerate(held):
            found = store.read(0, slot, part[0].shape[1])
            assert all(torch.equal(one, two) for one, two in zip(found, part, strict=True))
        if held:
            width = min(part[0].shape[1] for part in held[1:] or held)
            keys, values = store.columns(0, len(held[1:] or held) < len(held), len(held), width)
            expected = [torch.cat([part[kind][:, -width:] for part in held[1:] or held]) for kind in (0, 1)]
            assert torch.equal(keys, expected[0].transpose(1, 2))
            assert torch.equal(values, expected[1])
    assert grown
    assert store.length < 12 * BLOCK, "room behind the longest is used again"


def test_a_store_of_prompts_grows_both_ways():
    generator = torch.Generator().manual_seed(0)
    store, held = Store(0), []
    for size in (5, 3, 70, 2, 200):
        store.fit(
            len(held) + 1,
            max([size, *(len(part[0][0]) for part in held)]),
            max((len(p[0][0]) for p in held), default=0),
        )
        held.append([torch.randn(2, size, 3, generator=generator) for _ in range(2)])
        store.write(0, len(held) - 1, *held[-1])
        for slot, part in enumerate(held):
            found = store.read(0, slot, part[0].shape[1])
            assert all(torch.equal(one, two) for one, two in zip(found, part, strict=True))
