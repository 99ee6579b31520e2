"""Talking to a model through a pipe."""

import io
import math
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console

from baro.data.records import Message
from baro.pipeline import chat
from baro.pipeline.speaker import Speaker, Wish


@pytest.fixture
def talk(whole, monkeypatch, capsys):
    """(lines typed) → ((messages, wish) of every question, what was printed)."""

    def run(*typed: str, **options):
        lines, asked = iter(typed), []
        prompt, said = Speaker.prompt, Speaker.said

        def remember(self, messages):
            asked.append((tuple(messages), []))
            return prompt(self, messages)

        def note(self, tokens, wish):
            asked[-1][1].append(wish)
            return said(self, tokens, wish)

        def typing(*_):
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        with monkeypatch.context() as patch:
            patch.setattr(Speaker, "prompt", remember)
            patch.setattr(Speaker, "said", note)
            patch.setattr("rich.console.Console.input", lambda self, *_, **__: typing())
            chat.talk(str(whole[1] / "sft"), **{"temperature": 0.0, "max_new_tokens": 6, "seed": 0} | options)
        return [(messages, wishes[0]) for messages, wishes in asked], capsys.readouterr().out

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
    first, second = talk(*typed, temperature=1.0), talk(*typed, temperature=1.0)
    assert first == second
    assert len({wish.seed for _, wish in first[0]}) == 3


def test_regenerate_asks_the_same_again_with_another_draw(talk):
    asked, said = talk("/regenerate", "Colour of the cat?", "/regenerate", "And the dog?")
    assert "no question" in said
    assert asked[0][0] == asked[1][0]
    assert asked[0][1].seed != asked[1][1].seed
    assert [turn.role for turn in asked[2][0]] == ["user", "assistant", "user"]


def test_another_model_goes_on_with_the_talk(talk, whole):
    other = str(whole[1] / "dpo")
    asked, said = talk("Colour of the cat?", f"/model {other}", "And the dog?", "/model ./nowhere", "/model")
    flat = said.replace("\n", "")
    assert len(asked[1][0]) == 3
    assert f"{other} goes on" in flat.replace("dpogoes", "dpo goes")
    assert "nowhere" in said
    assert flat.endswith(other), "a model that is not there changes nothing"


def test_surprise_is_coloured_by_what_the_model_thought(whole):
    console = Console(force_terminal=True, color_system="standard", file=io.StringIO(), width=200)
    talking = chat.Talk(console, Speaker(str(whole[1] / "sft")), Wish(tops=0, max_new_tokens=9), 0)
    assert [chat._style(math.log(p)) for p in (1, 0.6, 0.3, 0.05, 0.001)] == ["", "", "yellow", "dark_orange", "red"]
    talking.take("Colour of the cat?")
    plain = console.file.getvalue()
    assert "\x1b" not in plain
    talking.take("/surprise")
    talking.take("/regenerate")
    coloured = console.file.getvalue()[len(plain) :]
    assert re.search(r"\x1b\[3[13]m", coloured), "a hardly trained model surprises itself"
    talking.speaker.close()


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
    assert "/quit leaves" in " ".join(done.stdout.split())
    assert len(done.stdout.splitlines()) >= 2
