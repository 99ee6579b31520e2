"""The card and its verdict on reward models whose faults are known."""

import random

import numpy as np
import pytest

from baro.core.types import Sequence
from baro.data.records import Message, Preference
from baro.evals import health
from baro.evals.statistics import bootstrap
from baro.evals.verdict import findings

COLOURS = ["red", "blue", "green", "black", "white", "pink"]


def rows(n=240, seed=0):
    """Questions about colours; the true colour is preferred, politeness and length are drawn independently."""
    roll, found = random.Random(seed), []
    for number in range(n):
        true, false = roll.sample(COLOURS, 2)

        def answer(colour):
            return f"It is {colour}{roll.choice(['', ' indeed', ' as everyone here knows'])}."

        prompt = (Message("user", f"Thing {number // 2} is {true}. Colour?"),)
        sides = [(Message("assistant", answer(colour)),) for colour in (true, false)]
        columns = {"source": "a" if number % 3 else "b", "votes": ["chosen", "chosen", "rejected"]}
        found.append(Preference(prompt, *sides, margin=float(number % 7), where=f"f.jsonl:{number}", columns=columns))
    return found


def judged(pairs, score):
    """The card's input for a model that is a function of (prompt, answer); its tokens are the answer's words."""

    def sequence(text):
        return Sequence([0] + [1] * len(text.split()), [False] + [True] * len(text.split()))

    texts = [health.texts_of(row) for row in pairs]
    sequences = [(sequence(a), sequence(b)) for a, b in texts]
    chosen, rejected = (
        np.array([score(row.prompt[0].content, t[side]) for row, t in zip(pairs, texts, strict=True)])
        for side in (0, 1)
    )
    return health.Judged(pairs, sequences, chosen, rejected)


def card(score, pairs=None):
    pairs = pairs or rows()
    found = judged(pairs, score)
    known = {
        id(s): v
        for both, a, b in zip(found.sequences, found.chosen, found.rejected, strict=True)
        for s, v in zip(both, (a, b), strict=True)
    }

    def scores(sequences):
        return np.array([known.get(id(s), -5.0) for s in sequences])

    def rescore(of, texts):
        return np.array([score(row.prompt[0].content, text) for row, text in zip(of, texts, strict=True)])

    made = health.card(found, score=scores, rescore=rescore, learn=None)
    return made | {"findings": {one.code: one.level for one in findings(made)}}


def honest(prompt, text):
    """Knows the truth, wants it said once and in order."""
    told = text.split()
    said = " ".join(told)
    true = any(f"is {colour}." in prompt and f"It is {colour}" in said for colour in COLOURS)
    return 4.0 * true - 1.5 * (said.count("It is") > 1) - 2.0 * (not said.startswith("It is"))


def longer(prompt, text):
    return 0.3 * len(text)


def test_an_honest_model_is_told_from_one_that_counts_letters():
    good, bad = card(honest), card(longer)
    assert good["accuracy"]["mean"] == 1.0
    assert good["findings"]["beats_words"] == good["findings"]["beats_length"] == "good"
    assert good["findings"]["sees_harm"] == "good"
    assert bad["findings"]["likes_length"] == "bad"
    assert bad["findings"]["not_beyond_length"] in ("warn", "bad")
    assert bad["findings"]["blind_to_twice"] == "bad"
    assert bad["traits"]["length"]["model"] == 1.0
    assert bad["traits"]["length"]["correlation"] == pytest.approx(1.0)
    assert 0.3 < bad["traits"]["length"]["people"] < 0.7


def test_a_model_that_never_reads_the_prompt_is_blind_to_another_prompts_answer():
    found = card(lambda prompt, text: 2.0 * ("red" in text or "blue" in text) + 1e-3 * len(text))
    assert "blind_to_other_prompt" in found["findings"]


def test_a_swapped_model_is_called_backwards():
    assert card(lambda prompt, text: -honest(prompt, text))["findings"]["backwards"] == "bad"


def test_pairs_are_counted_once_in_every_breakdown():
    found = card(honest)
    for name in ("by_length", "by_source", "by_margin"):
        assert sum(part["pairs"] for part in found[name]) == 240, name
    assert {part["name"]: part["pairs"] for part in found["by_source"]} == {"a": 160, "b": 80}
    assert [part["mean"] for part in found["by_length"]] == [1.0] * len(found["by_length"])


def test_votes_give_the_ceiling_of_a_majority():
    # two of three agree: 1 agreeing couple of 3; below one half nothing can be known
    ceiling = card(honest)["ceiling"]
    assert ceiling["agreement"] == pytest.approx(1 / 3)
    assert (ceiling["low"], ceiling["high"], ceiling["annotators"]) == (0.5, 0.5, 3)


def test_reading_order_is_compared_pair_by_pair():
    found = card(honest)["stability"]
    assert (found["order_agreement"], found["order_moved"]) == (1.0, 0.0)


def test_intervals_widen_when_pairs_share_prompts():
    values = [1.0, 1.0, 0.0, 0.0] * 30
    alone, together = bootstrap(values), bootstrap(values, groups=[i // 2 for i in range(120)])
    # a group is one draw of its common value: n halves, so the width grows by √2
    assert together.mean == alone.mean == 0.5
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(2**0.5, rel=0.08)
    assert bootstrap(values, groups=range(120)) == alone


def test_whether_more_labels_help_is_decided_by_the_interval():
    base = card(honest)
    del base["findings"]

    def verdict(mean, low, high):
        curve = {"points": [{"pairs": 100}], "last_doubling": {"mean": mean, "low": low, "high": high}}
        return {one.code for one in findings(base | {"curve": curve})} & {
            "more_labels_help",
            "labels_enough",
            "labels_unclear",
        }

    assert verdict(0.05, 0.01, 0.09) == {"more_labels_help"}
    assert verdict(0.0, -0.01, 0.01) == {"labels_enough"}
    assert verdict(0.02, -0.03, 0.07) == {"labels_unclear"}
