"""The baselines find what can be found without reading, and nothing else."""

import random

import numpy as np

from baro.evals.baselines import by_length, by_words, crossed, words


def right(gaps):
    return (np.sign(gaps) + 1).mean() / 2


def test_length_alone_orders_pairs_whose_longer_answer_is_preferred():
    long = [("a longer answer " * n, "short") for n in range(1, 20)]
    assert right(by_length(long, long)) == 1.0
    assert right(by_length([(b, a) for a, b in long], long)) == 0.0  # it learns the direction


def test_words_find_a_word_that_pleases_whatever_the_length():
    roll = random.Random(0)
    filler = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "some", "other", "cats"]

    def answer(extra):
        said = roll.sample(filler, roll.randint(3, 9)) + extra
        roll.shuffle(said)
        return " ".join(said)

    pairs = [(answer(["please"]), answer(["dumb"])) for _ in range(200)]
    assert right(by_words(pairs[:100], pairs[100:])) == 1.0
    assert abs(right(by_length(pairs[:100], pairs[100:])) - 0.5) < 0.2


def test_pairs_of_one_prompt_are_never_learnt_from_and_judged_at_once():
    # every prompt has its own word that its preferred answers carry: of no use for other prompts
    pairs = [(f"secret{p} said", f"other{p} said") for p in range(40) for _ in range(5)]
    groups = [str(p) for p in range(40) for _ in range(5)]
    leaked = by_words(pairs, pairs)
    assert right(leaked) == 1.0
    assert right(crossed(by_words, pairs, groups)) == 0.5
    assert crossed(by_words, pairs[:5], groups[:5]) == []


def test_korean_words_share_their_syllables():
    assert set(words("먹었습니다")) >= {"먹었습니다", "습니", "니다"}
    assert words("I'm!") == ["i", "'", "m", "!"]
