"""Sums and the guessing game as files: right where they should be, wrong where they say so."""

import json
from collections import Counter
from pathlib import Path

import pytest

from baro.core.errors import ConfigError
from baro.playground.games import guessing, slip, sums


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("games")
    counts = sums(made, examples=4000, heldout=60)
    assert counts == {"text": 4000, "instruct": 4000, "instruct_heldout": 60, "prompts": 340, "prompts_heldout": 60}
    guessing(made / "guess", games=400, prompts=50)
    return made


def total(question: str) -> int:
    a, b = question.rstrip("=").split("+")
    return int(a) + int(b)


def test_text_prompts_and_held_out_answers_are_right(folder):
    for row in lines(folder / "text.jsonl")[:200]:
        question, answer = row["text"].split("=")
        assert total(question) == int(answer)
    for name in ("prompts", "prompts_heldout"):
        assert all(total(row["prompt"][0]["content"]) == int(row["answer"]) for row in lines(folder / f"{name}.jsonl"))
    assert all(total(row["instruction"]) == int(row["output"]) for row in lines(folder / "instruct_heldout.jsonl"))


def test_the_teacher_slips_every_other_time_and_always_alike(folder):
    wrong, seen = 0, {}
    for row in lines(folder / "instruct.jsonl"):
        answer = int(row["output"])
        if answer != total(row["instruction"]):
            wrong += 1
            assert seen.setdefault(row["instruction"], answer) == answer
    assert 0.46 < wrong / 4000 < 0.54


def test_no_held_out_problem_is_shown(folder):
    apart = {row["prompt"][0]["content"] for row in lines(folder / "prompts_heldout.jsonl")}
    shown = {row["prompt"][0]["content"] for row in lines(folder / "prompts.jsonl")}
    shown |= {row["instruction"] for row in lines(folder / "instruct.jsonl")}
    shown |= {row["text"].split("=")[0] + "=" for row in lines(folder / "text.jsonl")}
    assert not apart & shown
    assert len(apart) == 60


@pytest.mark.parametrize(("a", "b", "wrong"), [(7, 8, 5), (17, 15, 22), (1, 2, 4), (10, 9, 20), (0, 0, 1)])
def test_slips(a, b, wrong):
    assert slip(a, b) == wrong != a + b


def test_games_are_played_to_the_end_without_a_guess_made_twice(folder):
    lengths = Counter()
    for row in lines(folder / "guess" / "games.jsonl"):
        turns = row["messages"]
        guesses = [int(turn["content"]) for turn in turns if turn["role"] == "assistant"]
        assert len(set(guesses)) == len(guesses)
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * len(guesses)
        lengths[len(guesses)] += 1
        for guess, turn in zip(guesses[:-1], turns[2::2], strict=True):
            if len(guesses) < 5:
                assert (turn["content"] == "higher") is (guess < guesses[-1])
    assert max(lengths) == 5
    assert {row["secret"] for row in lines(folder / "guess" / "prompts.jsonl")} == set(range(1, 9))


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_hints_are_those_of_the_environment(tmp_path, lang):
    from baro.rewards.guess import WORDS

    guessing(tmp_path, lang=lang, games=50)
    heard = {t["content"] for row in lines(tmp_path / "games.jsonl") for t in row["messages"][2::2]}
    assert heard == {WORDS[lang]["more"], WORDS[lang]["less"]}


def test_mistakes(tmp_path):
    with pytest.raises(ConfigError, match="only 100 sums"):
        sums(tmp_path, largest=9, heldout=60)
    with pytest.raises(ConfigError, match="lang is 'fr'"):
        guessing(tmp_path, lang="fr")


def test_the_same_seed_writes_the_same_files(tmp_path):
    for name in ("one", "two"):
        sums(tmp_path / name, seed=3, examples=50)
        guessing(tmp_path / name / "guess", seed=3, games=20)
    for file in (tmp_path / "one").rglob("*.jsonl"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()
