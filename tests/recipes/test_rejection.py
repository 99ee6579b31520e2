"""Rejection sampling: what is kept, what the control keeps, what is written, and what choosing bought."""

import itertools
import json
from types import SimpleNamespace

import pytest
import torch

REWARD = """
def length(prompts, completions, **columns):
    return [float(len(text)) for text in completions]

def same(prompts, completions, **columns):
    return [1.0] * len(completions)
"""


@pytest.fixture
def functions(tmp_path):
    file = tmp_path / "rewards.py"
    file.write_text(REWARD)
    return lambda name: {"reward_model_name_or_path": None, "reward_funcs": [f"{file}:{name}"]}


@pytest.fixture
def kept(monkeypatch):
    """What every round kept: lists of (sequence, score), one per round."""
    from baro.recipes import rejection

    rounds, original = [], rejection.Rounds.__next__

    def remember(self):
        new_round = self.position % self.per_round == 0 and self.position < len(self)
        batches = original(self)
        if new_round:
            rounds.append(list(self.kept))
        return batches

    monkeypatch.setattr(rejection.Rounds, "__next__", remember)
    return rounds


def samples(run) -> list[dict]:
    return [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()]


@pytest.mark.invariant("I48")
def test_the_best_of_the_written_samples_is_learnt(train, functions, kept, model):
    from baro.models.load import load_tokenizer

    run = train("rejection", **functions("length"), rounds=1)
    tokenizer, rows = load_tokenizer(model), samples(run)
    assert len(rows) == 12
    for row, (sequence, score) in zip(rows, kept[0], strict=True):
        assert row["rewards"] == [float(len(text)) for text in row["completions"]]
        assert len(row["completions"]) == 4
        best = max(row["rewards"])
        assert score == best
        answer = [token for token, learnt in zip(sequence.tokens, sequence.learn, strict=True) if learnt]
        text = tokenizer.decode(answer, skip_special_tokens=True)
        assert text == row["completions"][row["rewards"].index(best)]  # the first on ties
    assert run.result["metrics"]["reward_kept_round_1"] == pytest.approx(
        sum(max(row["rewards"]) for row in rows) / 12, rel=1e-6
    )


@pytest.mark.invariant("I48")
def test_equal_scores_keep_the_first(train, functions, kept):
    train("rejection", **functions("same"), rounds=1, max_steps=1)
    first = [sequence.tokens for sequence, _ in kept[0]]
    train("rejection", "again", **functions("same"), rounds=1, max_steps=1, num_generations=1)
    assert [sequence.tokens for sequence, _ in kept[1]] == first


@pytest.mark.invariant("I48")
def test_the_control_draws_the_same_and_keeps_as_many_at_random(train, functions, kept):
    changes = {**functions("length"), "rounds": 1}
    best, control = train("rejection", "best", **changes), train("rejection", "control", select="random", **changes)
    assert samples(best) == samples(control)
    assert len(kept[0]) == len(kept[1]) == 12
    assert [sequence.where for sequence, _ in kept[0]] == [sequence.where for sequence, _ in kept[1]]
    assert len(best.steps) == len(control.steps)
    rows = samples(control)
    assert all(score in row["rewards"] for row, (_, score) in zip(rows, kept[1], strict=True))
    assert sum(score for _, score in kept[1]) < sum(score for _, score in kept[0])
    for name in ("reward_best_of_1", "reward_best_of_4", "kl_bound"):
        assert best.result["metrics"][name] == control.result["metrics"][name]


@pytest.mark.invariant("I50")
def test_over_rounds_the_kept_answer_never_gets_worse(train, functions, kept):
    run = train("rejection", **functions("length"), rounds=3, learning_rate=1e-2, num_train_epochs=1.0)
    assert len(kept) == 3
    for before, after in itertools.pairwise(kept):
        assert all(new[1] >= old[1] for old, new in zip(before, after, strict=True))
        assert any(new[0].tokens != old[0].tokens for old, new in zip(before, after, strict=True))
    means = [run.result["metrics"][f"reward_kept_round_{number}"] for number in (1, 2, 3)]
    assert means == pytest.approx([sum(score for _, score in rows) / 12 for rows in kept])
    assert means == sorted(means)


@pytest.mark.invariant("I49")
def test_gains_are_means_over_every_subset():
    from baro.recipes.rejection import gains

    scores = [[1.0, 4.0, 2.0, 0.5], [0.0, 0.0, 3.0, -1.0], [5.0, 5.0, 5.0, 5.0]]
    found = gains(torch.tensor(scores))
    for size in (1, 2, 4):
        by_hand = [max(subset) for row in scores for subset in itertools.combinations(row, size)]
        assert found[f"reward_best_of_{size}"] == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-6)
    assert "reward_best_of_8" not in found
    assert found["kl_bound"] == pytest.approx(0.6362943611, rel=1e-9)  # ln 4 - 3/4


def test_one_sample_a_prompt(train, functions):
    run = train("rejection", **functions("length"), num_generations=1, rounds=1)
    metrics = run.result["metrics"]
    assert metrics["kl_bound"] == 0
    assert metrics["reward_best_of_1"] == pytest.approx(metrics["reward_kept_round_1"])
    assert (run.folder / "pairs.jsonl").read_text() == ""  # one answer makes no pair


@pytest.mark.invariant("I36")
def test_the_penalty_decides_over_answers_that_do_not_end(train, functions, kept):
    run = train("rejection", **functions("length"), rounds=1, missing_eos_penalty=5.0, max_completion_length=2)
    rewards = [value for row in samples(run) for value in row["rewards"]]
    assert rewards.count(-5.0) > 24
    assert {score for _, score in kept[0]} & {-5.0}


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.fixture
def answered():
    """(texts, scores, ended) → one prompt's answers."""
    from baro.core.types import Answer
    from baro.data.records import Message, Prompt
    from baro.evals.answers import Answered
    from baro.recipes.episodes import Episode

    def build(texts, scores, ended=None, plain=False):
        prompt = Prompt((Message("user", "Colour?"),), plain=plain)
        rows = zip(texts, scores, ended or [True] * len(texts), strict=True)
        return [
            Episode((Answered(prompt, [1], Answer([2], [-1.0], end), text),), (value,)) for text, value, end in rows
        ]

    return build


def test_pairs_are_best_against_worst_of_the_answers_that_ended(answered, tmp_path):
    from baro.recipes.rejection import write

    rows = [
        answered(["red.", "blue.", "green."], [1.0, 3.0, 2.0]),
        answered(["red.", "cut off", "green."], [1.0, 9.0, 2.0], [True, False, True]),
        answered(["red.", "red."], [1.0, 2.0]),
        answered(["one", "two"], [1.0, 2.0], [False, False]),
    ]
    write(tmp_path, rows[:2])
    found = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    texts = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in found]
    assert texts == [("blue.", "red."), ("green.", "red.")]
    write(tmp_path, rows[2:])
    assert (tmp_path / "pairs.jsonl").read_text() == ""
    assert len((tmp_path / "samples.jsonl").read_text().splitlines()) == 2


def test_no_pair_has_an_empty_side(answered, tmp_path):
    from baro.data.read import read_preferences
    from baro.recipes.rejection import write

    texts = (["", "red.", " \n"], ["red.", "", "blue."], ["", " ", "red."])
    scores = ([3.0, 2.0, 1.0], [1.0, 9.0, 2.0], [0.0, 1.0, 2.0])
    write(tmp_path, [answered(*row) for row in zip(texts, scores, strict=True)])
    found = read_preferences([tmp_path / "pairs.jsonl"]).rows
    assert [(row.chosen[0].content, row.rejected[0].content) for row in found] == [("blue.", "red.")]


@pytest.mark.parametrize("plain", [False, True])
def test_pairs_and_samples_can_be_read_back(train, functions, world, rows, plain):
    from baro.data.read import read_preferences, read_prompts

    lines = [json.loads(line) | {"plain": plain} for line in (world / "prompts.jsonl").read_text().splitlines()]
    changes = {**functions("length"), "rounds": 1, "num_generations": 8, "max_completion_length": 24}
    run = train("rejection", dataset=[rows("asked", lines)], **changes)
    prompts = read_prompts([run.folder / "samples.jsonl"]).rows
    assert [row.messages[0].content for row in prompts] == [line["prompt"][0]["content"] for line in lines]
    if not (run.folder / "pairs.jsonl").read_text():
        pytest.skip("no answer of this random model ended")
    for row in read_preferences([run.folder / "pairs.jsonl"]).rows:
        assert row.plain is plain
        assert row.chosen[0].content.strip()
        assert len(row.chosen[0].content) >= len(row.rejected[0].content)


def test_pairs_of_a_run_can_train_dpo(train, functions, model, settings, answered, tmp_path):
    from baro.recipes.rejection import write

    write(tmp_path, [answered(["blue, friend.", "red."], [2.0, 1.0]) for _ in range(8)])
    run = train("dpo", dataset=[str(tmp_path / "pairs.jsonl")], num_train_epochs=1.0)
    assert run.steps[-1]["count"] == 8


# --- resuming --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("stop", range(7))
def test_rounds_resume_with_what_they_kept(settings, tmp_path, stop):
    from baro.core.types import Sequence
    from baro.recipes import rejection

    config = rejection.Config(**settings("rejection") | {"output_dir": tmp_path, "rounds": 3, "num_train_epochs": 1.0})
    table = SimpleNamespace(asked=[])

    def draw(number: int):
        table.asked.append(number)
        scores = [float((7 * number + 5 * i) % 11) for i in range(12)]
        return [(Sequence([number, i, 9], [False, False, True], f"f:{i}"), s) for i, s in enumerate(scores)], {}

    def tokens(updates):
        return [[batch.tokens.tolist() for batch in update] for update in updates]

    whole = tokens(rejection.Rounds(config, draw, 12))
    assert len(whole) == 6
    first = rejection.Rounds(config, draw, 12)
    for _ in range(stop):
        next(first)
    second = rejection.Rounds(config, draw, 12)
    second.restore(json.loads(json.dumps(first.state())))
    table.asked.clear()
    assert tokens(second) == whole[stop:]
    assert table.asked == [0, 1, 2][-(-stop // 2) :]  # two updates a round: a round that began is not sampled again
    assert second.figures == {f"reward_kept_round_{n}": second.figures[f"reward_kept_round_{n}"] for n in (1, 2, 3)}
