"""The next token's attention by its definition, whatever lies where."""

import math
import random

import pytest
import torch

from baro.models import store
from baro.models.attention import Rule
from baro.models.cache import Step
from baro.models.invariant import batch_invariant
from baro.models.store import Store

HEADS, KEYS, SIZE, LAYERS = 4, 2, 8, 2
RULES = [
    Rule(None, None, None, 0.0),
    Rule(0.3, 6, None, 0.0),
    Rule(None, 1, None, 0.0),
    Rule(None, 30, None, 0.0),
    Rule(0.5, None, 1.5, 0.0),
    Rule(0.5, 9, 1.5, 0.0),
]
CASES = {
    "own prompts": [None] * 9,
    "one of a kind": [None],
    "samples of three prompts": [0, 1, 0, 2, 1, 1, 0, 2, 2, 2],
    "a prompt nobody continues": [1, 0, 1, 3],
    "some of each": [None, 1, 0, None, 1, None, 0],
    "many": [None] * 20 + [0] * 20,
}


def by_definition(query, keys, values, rule: Rule):
    """(H, Dh), (Hkv, n, Dh) twice → (H, Dh); the query is the last token's."""
    first = 0 if rule.window is None else max(0, keys.shape[1] - rule.window)
    output = torch.empty_like(query)
    for head in range(HEADS):
        of = head // (HEADS // KEYS)
        z = keys[of, first:] @ query[head] * (rule.scaling or 1 / math.sqrt(SIZE))
        z = z if rule.softcap is None else rule.softcap * torch.tanh(z / rule.softcap)
        output[head] = torch.softmax(z, 0) @ values[of, first:]
    return output


def steps(homes, dtype=torch.float64):
    """Three steps amid old rubbish: each, and by sequence, layer and kind the keys and values so far."""
    draws, generator = random.Random(1), torch.Generator().manual_seed(0)

    def random_tokens(count):
        return [[torch.randn(KEYS, count, SIZE, generator=generator, dtype=dtype) for _ in "kv"] for _ in range(LAYERS)]

    prompts = [random_tokens(draws.choice([1, 4, 12, 30])) for _ in range(4)]
    own = [
        random_tokens(draws.choice([2, 5, 40, 90]) if home is None else draws.choice([0, 0, 2, 15])) for home in homes
    ]
    sizes, prompt_sizes = [part[0][0].shape[1] for part in own], [part[0][0].shape[1] for part in prompts]
    stores = Store(len(homes) + 2), Store(0)
    stores[0].advance(max(1, *sizes), 0)
    stores[1].fit(6, max(prompt_sizes), 0)
    for place, parts in zip(stores, (own, prompts), strict=True):
        for layer in range(LAYERS):
            for slot in range(place.slots):  # as earlier occupants leave it
                place.write(layer, slot, *(torch.full((KEYS, place.end, SIZE), 9.0, dtype=dtype) for _ in "kv"))
            for slot, part in enumerate(parts):
                place.write(layer, slot, *part[layer])
    so_far = [
        [
            [torch.cat([prompts[home][layer][kind], mine[layer][kind]], 1) if home is not None else mine[layer][kind]
             for kind in (0, 1)]
            for layer in range(LAYERS)
        ]
        for home, mine in zip(homes, own, strict=True)
    ]  # fmt: skip
    for turn in range(3):
        stores[0].advance(max(sizes) + turn + 1, max(sizes) + turn)
        lengths = [size + turn + 1 for size in sizes]
        yield Step(stores[0], lengths, stores[1], prompt_sizes, homes, None, torch.device("cpu")), so_far


def attended(step, so_far, layer, rule, dtype=torch.float64):
    """(B, H, Dh) what the step finds for random queries, and what it should; so_far is gone on with."""
    generator = torch.Generator().manual_seed(layer)
    query = torch.randn(1, HEADS, len(so_far), SIZE, generator=generator, dtype=dtype)
    key, value = (torch.randn(1, KEYS, len(so_far), SIZE, generator=generator, dtype=dtype) for _ in "kv")
    for row, mine in enumerate(so_far):
        mine[layer] = [
            torch.cat([old, new[0, :, [row]]], 1) for old, new in zip(mine[layer], (key, value), strict=True)
        ]
    expected = [by_definition(query[0, :, row], *mine[layer], rule) for row, mine in enumerate(so_far)]
    return step.attend(layer, query, key, value, rule)[0], torch.stack(expected)


@pytest.mark.invariant("I9")
@pytest.mark.incident("T30", "T32")
@pytest.mark.parametrize("way", ["at once", "in groups", "alike"])
@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_the_next_token_attends_to_all_it_continues_and_nothing_else(case, rule, way, monkeypatch):
    monkeypatch.setattr(store, "CALL", 0 if way == "in groups" else 1e9)
    with batch_invariant(way == "alike"):
        for step, so_far in steps(CASES[case]):
            for layer, used in enumerate((rule, RULES[0])):
                found, expected = attended(step, so_far, layer, used)
                torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
def test_a_shared_prompt_is_read_once_whoever_continues_it(monkeypatch, size):
    """Products with the keys of prompts: as many as there are prompts, not answers."""
    homes, seen = [0, 1, 0, 1, 0, 0, 1] * size, []
    product = torch.bmm
    monkeypatch.setattr(torch, "bmm", lambda *given: (seen.append(len(given[1])), product(*given))[1])
    step, so_far = next(steps(homes))
    attended(step, so_far, 0, RULES[0])
    assert seen.count(4 * KEYS) == 2, "four prompts lie there: scores and values"
    assert sum(seen) == 2 * (4 + len(homes)) * KEYS
