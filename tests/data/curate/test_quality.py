"""Rules of quality: each fires on its own fault, none on good answers, and faults only ever lower the score."""

import pytest

from baro.data.curate.quality import WEIGHTS, faults, quality, repeated

GOOD = [
    ("What is the capital of France?", "Paris."),
    ("Add 2 and 3.", "5"),
    ("Write a haiku about rain.", "Rain on the tin roof,\nan old cat counts every drop,\nsleep comes unnoticed."),
    ("한국의 수도는 어디인가요?", "한국의 수도는 서울입니다."),
    ("오늘 기분이 어때?", "아주 좋아요"),
    ("Print hello in Python.", "print('hello')"),
    ("Name three colours.", "Red, green and blue."),
    ("Play an AI of 2100.", "As an AI of the year 2100, I watch over the gardens of the moon."),
    ("Apologise to a friend.", "I'm sorry that I forgot your birthday. Let me make up for it."),
]
BAD = {
    "empty": ("Say hello.", " ... "),
    "placeholder": ("Say hello.", "N/A"),
    "runs_on": ("Say hello.", "Hello.\n\n### Instruction: Now say goodbye.\n### Response: Goodbye."),
    "echo": ("Say hello.", "say hello"),
    "repeats": ("Tell a tale.", "The cat sat here. " * 9),
    "refusal": ("Sum up the text.", "I'm sorry, but as an AI language model I cannot do that."),
    "garbled": ("Say hello.", "Hel�� w�rl�� 好��"),
    "cut_off": ("Tell a tale.", "Once upon a time there was a king who lived in a castle and he"),
    "careless": ("Where is Bo?", "at home.."),
    "curt": ("Write an essay about rain.", "Rain."),
}


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row[0][:20])
def test_good_answers_have_no_fault_that_counts(row):
    found = faults(*row)
    assert quality(found) >= 0.7, found
    assert not [rule for rule, value in found.items() if value and WEIGHTS[rule] > 0.3]


@pytest.mark.parametrize("rule", WEIGHTS)
def test_every_rule_sees_its_fault_and_costs_what_it_weighs(rule):
    found = faults(*BAD[rule])
    assert found[rule] > 0
    assert quality(found) <= 1 - WEIGHTS[rule] * found[rule] + 1e-12
    assert quality(found) < 0.8


@pytest.mark.parametrize("end", ["", ".", "!"])
def test_korean_answers_end_without_a_sign(end):
    assert (
        faults("설명해 주세요.", "이것은 열 개가 넘는 낱말로 된 아주 길고 긴 한국어 문장의 예라고 합니다" + end)[
            "cut_off"
        ]
        == 0
    )


def test_repetition_by_hand():
    # abcabcabc: 7 three-grams, of which abc bca cab are the only kinds
    assert repeated(list("abcabcabc")) == pytest.approx(4 / 7)
    assert repeated(list("abcdef")) == 0
    assert repeated(["a", "b"]) == 0
    assert repeated(["a"] * 100) == pytest.approx(97 / 98)


def test_no_fault_is_1_and_one_certain_fault_of_weight_1_is_0():
    assert quality(dict.fromkeys(WEIGHTS, 0.0)) == 1
    assert quality(dict.fromkeys(WEIGHTS, 0.0) | {"empty": 1.0}) == 0
    assert quality({"cut_off": 1.0, "curt": 1.0}) == pytest.approx(0.6 * 0.7)
