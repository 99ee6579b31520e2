"""Environments: found by name, checked on every call, and the game that ships."""

import time

import pytest

from baro.core.errors import BaroError, ConfigError
from baro.data.records import Message, Prompt
from baro.rewards.environment import Environment, Graded, Step, begin, load_environment, started, stepped
from baro.rewards.functions import function_scores

MINE = """
from baro.rewards.environment import Step, begin

class Mine:
    max_turns = 2
    def __init__(self, pay=1.0): self.pay = pay
    def reset(self, prompts, seeds): return [begin(prompt) for prompt in prompts]
    def step(self, states, actions): return [Step(self.pay) for _ in states]

class Half:
    def reset(self, prompts, seeds): return []
"""


def prompt(text: str = "Hello", place: int = 1, **columns) -> Prompt:
    return Prompt((Message("user", text),), columns, where=f"rows.jsonl:{place}")


def test_environments_are_found_by_name(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    mine = load_environment(f"{file}:Mine", {"pay": 3})
    assert isinstance(mine, Environment)
    assert mine.step([begin(prompt())], ["x"]) == [Step(3)]
    for name in ("arithmetic", "gsm8k", "svamp", "guess"):
        assert isinstance(load_environment(name), Environment)
    for name, args, says in (
        ("guesss", {}, "no environment 'guesss'"),
        ("guess", {"turns": 3}, "cannot be made"),
        ("guess", {"lang": "fr"}, "lang is 'fr'"),
        (f"{file}:Half", {}, "without reset, step and max_turns"),
        (f"{file}:None", {}, "has no function"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_environment(name, args)


# --- what goes wrong -------------------------------------------------------------------------------------------------


class Faulty:
    """Does what is asked of it wrong for the answer "bad"."""

    max_turns = 1

    def __init__(self, fault):
        self.fault = fault

    def reset(self, prompts, seeds):
        return [begin(each) for each in prompts]

    def step(self, states, actions):
        return [self.fault() if said == "bad" else Step(1.0) for said in actions]


def late():
    time.sleep(30)


def raises():
    raise ValueError("no such planet")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (raises, "raised ValueError: no such planet"),
        (late, r"took more than 0\.2 seconds"),
        (lambda: Step(float("nan")), "returned nan for the answer 'bad'"),
        (lambda: Step(None), "returned None for the answer 'bad'"),
        (lambda: 0.5, "returned 0.5 for the answer 'bad'"),
    ],
)
def test_what_an_environment_does_wrong_is_one_error_that_names_the_prompt(fault, says):
    states = [begin(prompt(f"Question {place}", place)) for place in range(4)]
    with pytest.raises(BaroError, match=says) as caught:
        stepped(Faulty(fault), states, ["good", "good", "bad", "good"], seconds=0.2)
    assert caught.value.where == "rows.jsonl:2"
    assert "Question 2" in caught.value.message
    assert "goes on from here" in caught.value.hint


def test_a_grader_without_a_right_answer_names_the_row():
    world = load_environment("gsm8k")
    states = world.reset([prompt("How many?", 1, answer=3), prompt("And now?", 2, other=3)], [0, 0])
    with pytest.raises(BaroError, match=r"none of which holds a number.*And now") as caught:
        stepped(world, states, ["3", "3"], seconds=None)
    assert caught.value.where == "rows.jsonl:2"


def test_the_number_of_results_is_checked():
    class Short(Faulty):
        def step(self, states, actions):
            return []

        def reset(self, prompts, seeds):
            return []

    with pytest.raises(BaroError, match="returned 0 scores for 1 completions"):
        stepped(Short(None), [begin(prompt())] * 3, ["a", "b", "c"], seconds=None)
    with pytest.raises(BaroError, match=r"Short \(reset\) returned 0"):
        started(Short(None), [prompt()], [0], seconds=None)


@pytest.mark.parametrize(
    ("fault", "says"), [(raises, "raised ValueError"), (late, "took more than"), (lambda: "x", "returned 'x'")]
)
def test_reward_functions_likewise(fault, says):
    def mine(prompts, completions, **columns):
        return [fault() if text == "bad" else 1.0 for text in completions]

    asked = [[{"role": "user", "content": f"Question {place}"}] for place in range(3)]
    places = [f"rows.jsonl:{place}" for place in range(3)]
    with pytest.raises(BaroError, match=f"the reward function mine {says}") as caught:
        function_scores(mine, asked, ["good", "bad", "good"], [{}] * 3, wheres=places, seconds=0.2)
    assert caught.value.where == "rows.jsonl:1"
    assert "Question 1" in caught.value.message


def test_a_handler_of_the_user_does_not_swallow_the_alarm():
    def stubborn(prompts, completions, **columns):
        for _ in range(100):
            try:
                time.sleep(1)
            except Exception:
                continue
        return [1.0] * len(completions)

    begun = time.monotonic()
    with pytest.raises(BaroError, match="took more than"):
        function_scores(stubborn, [[{"role": "user", "content": "a"}]], ["x"], [{}], seconds=0.1)
    assert time.monotonic() - begun < 2


# --- the game --------------------------------------------------------------------------------------------------------


def play(world, guesser, low: int = 1, high: int = 8, **columns) -> tuple[list[float], int]:
    """The rewards of one game and how often was guessed."""
    (state,) = world.reset([prompt("Guess.", low=low, high=high, **columns)], [7])
    rewards: list[float] = []
    for _ in range(world.max_turns):
        said = str(guesser(state))
        (step,) = world.step([state], [said])
        rewards.append(step.reward)
        if step.observation is None:
            break
        state = state.after(said, step)
    return rewards, len(rewards)


def middle(state) -> int:
    """A perfect player: reads the hints and asks for the middle."""
    low, high, said = 1, 8, [message.content for message in state.messages]
    for guess, hint in zip(said[1::2], said[2::2], strict=True):
        low, high = (int(guess) + 1, high) if hint == "higher" else (low, int(guess) - 1)
    return (low + high) // 2


@pytest.mark.parametrize("secret", range(1, 9))
def test_a_perfect_player_needs_log2_guesses(secret):
    world = load_environment("guess", {"max_turns": 8})
    rewards, turns = play(world, middle, secret=secret)
    assert turns <= 4  # log2(8) + 1
    assert rewards == [-0.1] * (turns - 1) + [1.0]


def test_a_lost_game_pays_nothing_and_bad_answers_are_asked_again():
    world = load_environment("guess", {"max_turns": 3})
    assert play(world, lambda state: 1, secret=5) == ([-0.1] * 3, 3)
    assert play(world, lambda state: "no idea", secret=5)[0] == [-0.1] * 3
    (state,) = world.reset([prompt(secret=5)], [0])
    assert world.step([state], ["4 or 5"])[0].observation == "Say a number."
    assert [s.observation for s in world.step([state] * 2, ["4", "6"])] == ["higher", "lower"]


def test_without_a_secret_the_seed_thinks_of_one():
    world = load_environment("guess")
    found = [state.hidden["secret"] for state in world.reset([prompt(low=1, high=8)] * 200, list(range(200)))]
    assert set(found) == set(range(1, 9))
    assert found == [s.hidden["secret"] for s in world.reset([prompt(low=1, high=8)] * 200, list(range(200)))]


def test_graded_environments_are_one_turn():
    world = Graded(lambda said, row: float(said == row["answer"]))
    states = world.reset([prompt(answer="a"), prompt(answer="b")], [0, 0])
    assert world.step(states, ["a", "a"]) == [Step(1.0), Step(0.0)]
    assert world.max_turns == 1
