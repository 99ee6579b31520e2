"""Files as pairs to be judged."""

import pytest

from baro.core.errors import DataError
from baro.data.choices.sources import read_pairs
from baro.data.read import write_jsonl


@pytest.fixture
def file(tmp_path):
    def build(rows, name="file.jsonl"):
        write_jsonl(tmp_path / name, rows)
        return tmp_path / name

    return build


def texts(pairs):
    return [(pair.a[0].content, pair.b[0].content) for pair in pairs]


def test_preferences_and_pairs_without_opinion(file):
    pairs, said = read_pairs(
        file(
            [
                {"prompt": "q1", "chosen": "x", "rejected": "y"},
                {"prompt": "q2", "response_a": "x", "response_b": "y", "model_a": "m", "model_b": "n"},
                {"instruction": "q3", "output_1": "x", "output_2": "y"},
                {"prompt": "q4", "answer_0": "x", "answer_1": "x"},
            ]
        )
    )
    assert texts(pairs) == [("x", "y")] * 3
    assert [pair.models for pair in pairs] == [("", ""), ("m", "n"), ("", "")]
    assert [pair.plain for pair in pairs] == [True, False, False]
    assert said == "3 pairs, models m, n; 1 of equal answers left out"


def test_answers_of_several_models_to_one_prompt(file):
    rows = [
        {"prompt": "q1", "answers": {"m": "x", "n": "y", "o": "z"}},
        {"prompt": "q2", "completions": ["x", "y"], "models": ["m", "n"]},
    ]
    pairs, _ = read_pairs(file(rows))
    assert texts(pairs) == [("x", "y"), ("x", "z"), ("y", "z"), ("x", "y")]
    assert pairs[-1].models == ("m", "n")


def test_a_file_for_each_model_is_joined_by_prompt(file):
    one = file([{"prompt": "q", "completions": ["x1", "x2"]}, {"prompt": "only here", "completion": "x"}], "old.jsonl")
    two = file([{"prompt": "q", "completion": "y"}], "new.jsonl")
    pairs, _ = read_pairs([one, two])
    assert texts(pairs) == [("x1", "y"), ("x2", "y")]  # samples of one model are not compared beside another's
    assert pairs[0].models == ("old", "new")


def test_samples_of_one_model_are_compared_with_each_other(file):
    pairs, _ = read_pairs(file([{"prompt": "q", "completions": ["x", "y", "z"]}]))
    assert len(pairs) == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "q", "text": "x"}, "file.jsonl:1: found columns prompt, text; expected prompt with chosen"),
        ({"answers": ["x", "y"]}, "file.jsonl:1: found columns answers; expected `prompt`"),
        ({"prompt": "q", "completion": 3}, "file.jsonl:1: completion is no string"),
        ({"prompt": "q", "completion": "x"}, "no two different answers"),
    ],
)
def test_rows_that_make_no_pair(file, row, said):
    with pytest.raises(DataError, match=said):
        read_pairs(file([row]))
