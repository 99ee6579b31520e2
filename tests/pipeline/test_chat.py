"""Talking to a model through a pipe."""

import os
import subprocess
import sys

import pytest

from baro.data.records import Message
from baro.pipeline import chat


@pytest.fixture
def talk(whole, monkeypatch, capsys):
    """(lines typed) → (prompts that were answered, what was printed)."""

    def run(*typed: str, answer=None, **options):
        lines, asked = iter(typed), []
        drawn = chat.answers

        def remember(model, tokenizer, prompts, **settings):
            asked.append((prompts[0].messages, settings))
            return drawn(model, tokenizer, prompts, **settings)

        def typing(*_):
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr(chat, "answers", remember)
        monkeypatch.setattr("rich.console.Console.input", lambda self, *_, **__: typing())
        chat.talk(str(whole[1] / "sft"), **{"temperature": 0.0, "max_new_tokens": 6, "seed": 0} | options)
        monkeypatch.setattr(chat, "answers", drawn)
        return asked, capsys.readouterr().out

    return run


def user(text: str) -> Message:
    return Message("user", text)


def test_a_talk_goes_on_and_starts_over(talk):
    asked, said = talk(
        "Colour of the cat?", "And the dog?", "/new", "Again", "/system Be brief.", "Short?", "/what", ""
    )
    seen = [messages for messages, _ in asked]
    assert seen[0] == (user("Colour of the cat?"),)
    assert [turn.role for turn in seen[1]] == ["user", "assistant", "user"]
    assert seen[2] == (user("Again"),)
    assert seen[3] == (Message("system", "Be brief."), user("Short?"))
    assert len(seen) == 4  # neither commands nor empty lines are asked
    assert said.count("/system TEXT") == 2  # at the start, and for the unknown command
    assert seen[1][1].content in said


def test_quit_leaves_at_once(talk):
    assert talk("/quit", "Colour?")[0] == []


def test_the_nth_answer_of_two_equal_talks_is_the_same(talk):
    typed = ("Colour of the cat?", "And the dog?", "And the hat?")
    assert talk(*typed, temperature=1.0) == talk(*typed, temperature=1.0)
    asked, _ = talk(*typed, temperature=1.0)
    assert [settings["first_row"] for _, settings in asked] == [0, 1, 2]


def test_a_long_talk_keeps_its_last_turns(talk):
    asked, _ = talk(*(f"Question {n}" for n in range(6)))
    assert len(asked[-1][0]) <= 5
    assert asked[-1][0][0].role == "user"
    assert asked[-1][0][-1] == user("Question 5")


def test_a_question_longer_than_the_context_does_not_end_the_talk(talk):
    asked, said = talk("word " * 400, "Colour of the cat?")
    assert "context" in said
    assert asked[-1][0] == (user("Colour of the cat?"),)


@pytest.mark.slow
def test_through_a_pipe(whole):
    command = [sys.executable, "-m", "baro", "chat", str(whole[1] / "sft"), "--max-new-tokens", "4"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, input="Colour of the cat?\n/new\n", env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "/quit leaves" in done.stdout
    assert len(done.stdout.splitlines()) >= 2
