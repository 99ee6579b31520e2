"""Python rewards: found by name, called in TRL's form, checked."""

import textwrap

import pytest

from baro.core.errors import BaroError, ConfigError
from baro.rewards.functions import function_scores, load_function

PROMPTS = [[{"role": "user", "content": "a"}], [{"role": "user", "content": "b"}]]


def test_function_of_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        textwrap.dedent(
            """
            def length(prompts, completions, **columns):
                return [len(text) for text in completions]

            def factory(scale):
                return lambda prompts, completions, **columns: [scale * len(text) for text in completions]
            """
        )
    )
    assert function_scores(load_function(f"{file}:length"), PROMPTS, ["abc", ""], [{}, {}]) == [3.0, 0.0]
    assert function_scores(load_function(f"{file}:factory", {"scale": 2}), PROMPTS, ["abc", ""], [{}, {}]) == [6.0, 0.0]


def test_function_of_a_module():
    assert load_function("math:sqrt")(9) == 3


def test_columns_arrive_by_name_and_missing_ones_are_none():
    seen = {}

    def score(prompts, completions, **columns):
        seen.update(columns)
        return [0.0, 0.0]

    function_scores(score, PROMPTS, ["x", "y"], [{"key": 1}, {"other": 2}])
    assert seen == {"key": [1, None], "other": [None, 2]}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "names no function"),
        ("no_such_module:f", "no module 'no_such_module'"),
        ("math:sqrrt", "has no function 'sqrrt'"),
        ("missing.py:f", "no file missing.py"),
    ],
)
def test_a_wrong_name_says_what_was_looked_for(name, says):
    with pytest.raises(ConfigError, match=says):
        load_function(name)


def test_wrong_number_of_scores():
    with pytest.raises(BaroError, match="1 scores for 2 completions"):
        function_scores(lambda prompts, completions: [1.0], PROMPTS, ["x", "y"], [{}, {}])


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_score_that_is_no_number_names_its_completion(bad):
    with pytest.raises(BaroError, match="completion 1: 'y'"):
        function_scores(lambda prompts, completions: [1.0, bad], PROMPTS, ["x", "y"], [{}, {}])
