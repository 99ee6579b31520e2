"""Prompts computed once: the figures and gradients of every sequence are those it has alone."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import pytest
import torch

from baro.core.types import Sequence
from baro.data.packing import pack, pairs
from baro.models import forward, trunk
from baro.models.support import support


def answered(prompts: int, answers: int, seed: int = 0) -> list[Sequence]:
    """`answers` continuations of every prompt, in mixed order."""
    draws = random.Random(seed)
    rows = []
    for size in (draws.randint(9, 20) for _ in range(prompts)):
        prompt = [draws.randrange(3, 67) for _ in range(size)]
        for length in (draws.randint(1, 12) for _ in range(answers)):
            answer = [draws.randrange(3, 67) for _ in range(length)]
            rows.append(Sequence(prompt + answer, [False] * size + [True] * length))
    draws.shuffle(rows)
    return rows


@pytest.mark.invariant("I3", "I5")
@pytest.mark.incident("T26", "T27")
def test_log_probs_and_gradients_equal_the_unshared_ones(architecture, make, by_the_book, exact):
    model, batch = make(architecture), pack(answered(3, 4))
    assert batch.shared
    reference = copy.deepcopy(model)
    found, expected = forward.token_log_probs(model, batch), by_the_book(reference, batch)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weights = torch.linspace(-1, 1, len(found), dtype=torch.float64)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        # RMS norms (and Cohere's and OLMo's) round to float32 even in float64 models, so that sums come out otherwise
        part = 1e-10 if architecture in ("gpt2", "gpt_neox", "phi") else 1e-5
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=part * float(theirs.grad.abs().max()), msg=name)


def test_values_scores_and_states_equal_the_unshared_ones(make):
    model, batch = make("llama", "AutoModelForSequenceClassification", num_labels=1), pack(answered(2, 3))
    alone = replace(batch, shared=())
    for figure in (forward.values, forward.scores, forward.hidden):
        torch.testing.assert_close(figure(model, batch), figure(model, alone), rtol=0, atol=1e-10)


def test_a_prompt_is_computed_once(make, monkeypatch):
    model, fed = make("llama"), []
    support(model)
    run = trunk.run
    monkeypatch.setattr(trunk, "run", lambda *given: (fed.append(len(given[1])), run(*given))[1])
    chosen, rejected, *_ = sorted(answered(1, 2), key=len_of)
    forward.token_log_probs(model, pairs([(chosen, rejected)]))
    prompt = len(chosen.tokens) - chosen.count
    assert fed == [prompt + chosen.count + rejected.count]


def len_of(row: Sequence) -> int:
    return len(row.tokens)


def test_one_answer_changed_leaves_the_others_of_its_prompt_alone(make):
    model, rows = make("qwen3"), answered(1, 3)
    before = forward.token_log_probs(model, pack(rows)).split([row.count for row in rows])
    changed = [replace(rows[0], tokens=[*rows[0].tokens[:-1], 5 if rows[0].tokens[-1] != 5 else 6]), *rows[1:]]
    after = forward.token_log_probs(model, pack(changed)).split([row.count for row in rows])
    assert not torch.equal(before[0], after[0])
    for old, new in zip(before[1:], after[1:], strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=1e-12)
