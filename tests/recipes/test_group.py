"""The group methods: one advantage an answer, priced, filtered and added up as asked; judged by plain transformers."""

import math
from types import SimpleNamespace

import pytest
import torch

from baro.core.types import Sequence

SCORES = [0.5, -1.0, 2.0, 0.0, 1.0, 1.0, 1.0, 1.0, -2.0, 1.5, 0.75, -0.25]  # three prompts; the second's all alike
ONES = """
def length(prompts, completions, **columns):
    return [float(len(text)) for text in completions]

def same(prompts, completions, **columns):
    return [1.0] * len(completions)

def some(prompts, completions, thing, **columns):
    return [float(len(text)) if name in ("cat", "dog", "hat") else 1.0 for text, name in zip(completions, thing)]
"""


@pytest.fixture
def functions(tmp_path):
    """name → a reward function in a file, as users name it."""
    file = tmp_path / "rewards.py"
    file.write_text(ONES)
    return lambda name: {"reward_model_name_or_path": None, "reward_funcs": [f"{file}:{name}"]}


@pytest.fixture
def before(settings, world, model, tmp_path):
    """(scores, **settings) → a group method before its first update, 3 prompts × 4 answers scored as given."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer
    from baro.recipes import group
    from baro.recipes.rollout import Actor, Models

    def build(scores=SCORES, *, reference=model, **changes):
        given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "rollout_batch_size": 12}
        config = group.Config(**settings("group") | given | changes)
        place = {"dtype": config.dtype, "device": "cpu"}
        policy, anchor = (language_model(path, **place).eval() for path in (model, reference))
        models, prompts = Models(policy, None, anchor), read_prompts([world / "prompts.jsonl"]).rows
        score = lambda rows: scores[: len(rows)]  # noqa: E731
        actor = Actor(config, models, load_tokenizer(model), prompts, score, micro=5, samples=4)
        return SimpleNamespace(config=config, models=models, actor=actor, memory=group.Memory(config, actor))

    return build


def shortened(run) -> None:
    """Make the answers of a run 2 to 8 tokens long; those below the limit of 8 ended by themselves."""
    from dataclasses import replace

    act = run.actor.act

    def cut(rollout: int) -> list:
        found = []
        for place, episode in enumerate(act(rollout)):
            row, length = episode.turns[0], 2 + place % 7
            answer = replace(row.answer, tokens=row.answer.tokens[:length], ended=length < 8)
            found.append(replace(episode, turns=(replace(row, answer=answer),)))
        return found

    run.actor.act = cut


def per_answer(experience, name: str) -> list[torch.Tensor]:
    return list(getattr(experience, name).split([sequence.count for sequence in experience.sequences]))


def one_update(run, per: str) -> list:
    from baro.recipes.experience import Rollouts, weigh

    def extend(_, batches):
        return weigh(batches, per=per, longest=run.config.max_completion_length)

    return next(Rollouts(run.memory, rollouts=1, epochs=1, minibatches=1, max_sequences=5, seed=0, extend=extend))


# --- act and compare -------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I44", "I43")
@pytest.mark.incident("T39")
def test_every_token_of_an_answer_gets_the_answers_advantage_over_its_own_prompts(before):
    experience = before().memory(0)
    wheres = [sequence.where for sequence in experience.sequences]
    assert [len(set(wheres[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
    assert len(set(wheres)) == 3
    found = per_answer(experience, "advantages")
    for start in (0, 4, 8):
        rewards = torch.tensor(SCORES[start : start + 4], dtype=torch.float64)
        spread = rewards.std(correction=0)
        for place in range(4):
            expected = ((rewards[place] - rewards.mean()) / spread).item() if spread > 0 else 0.0
            assert found[start + place].tolist() == pytest.approx([expected] * len(found[start + place]), abs=1e-6)
    alone = per_answer(before(advantage="leave_one_out").memory(0), "advantages")
    assert alone[2][0].item() == pytest.approx(2.0 - (0.5 - 1.0 + 0.0) / 3, abs=1e-6)


def test_answers_to_one_prompt_differ(before):
    episodes = before().actor.act(0)
    assert len(episodes) == 12
    for start in (0, 4, 8):
        assert len({tuple(episode.turns[0].answer.tokens) for episode in episodes[start : start + 4]}) > 1


@pytest.mark.invariant("I27")
@pytest.mark.incident("T37")
def test_in_the_reward_an_answer_pays_for_its_drift_and_in_the_loss_it_does_not(before, move, model):
    other = move(model)
    free = before(reference=other, advantage="leave_one_out").memory(0)
    paid = before(
        reference=other, advantage="leave_one_out", beta=0.5, kl_in_reward=True, kl_estimator="k1", loss_type="rloo"
    ).memory(0)
    pairs = zip(per_answer(free, "old_log_probs"), per_answer(free, "reference"), strict=True)
    drift = [(a - b).sum().item() for a, b in pairs]
    assert max(map(abs, drift)) > 0.1
    for start in (0, 4, 8):
        rewards = [SCORES[start + i] - 0.5 * drift[start + i] for i in range(4)]
        for place in range(4):
            others = [rewards[i] for i in range(4) if i != place]
            expected = rewards[place] - math.fsum(others) / 3
            assert per_answer(paid, "advantages")[start + place][0].item() == pytest.approx(expected, abs=1e-4)
    loss = before(reference=other, advantage="leave_one_out", beta=0.5).memory(0)
    assert torch.equal(loss.advantages, free.advantages)


def test_overlong_answers_pay_and_cut_ones_are_not_learnt(before):
    run = before([0.0] * 12, soft_punish_cache=4, scale_rewards="none")
    shortened(run)
    experience = run.memory(0)
    lengths = torch.tensor([float(sequence.count) for sequence in experience.sequences])
    price = ((8 - 4 - lengths) / 4).clamp(max=0).view(3, 4)
    expected = (price - price.mean(1, keepdim=True)).flatten()
    assert expected.abs().max() > 0.1
    assert [row[0].item() for row in per_answer(experience, "advantages")] == pytest.approx(expected.tolist(), abs=1e-6)
    assert run.memory.figures["objective/scores"] == 0
    assert run.memory.figures["objective/rlhf_reward"] == pytest.approx(price.mean().item(), abs=1e-6)


@pytest.mark.incident("T10")
def test_answers_cut_by_the_limit_are_compared_with_and_not_learnt(before):
    run, other = before(mask_truncated_completions=True), before()
    shortened(run)
    shortened(other)
    whole, kept = other.memory(0), run.memory(0)
    ended = [episode.ended for episode in run.actor.act(0)]
    assert 0 < sum(ended) < 12
    rows = [row for row, end in enumerate(ended) if end]
    assert [s.tokens for s in kept.sequences] == [whole.sequences[row].tokens for row in rows]
    for name in ("old_log_probs", "advantages", "reference"):
        expected = torch.cat([per_answer(whole, name)[row] for row in rows])
        assert torch.equal(getattr(kept, name), expected)


# --- dynamic sampling ------------------------------------------------------------------------------------------------


def test_prompts_whose_answers_score_alike_are_drawn_anew(train, functions):
    still = train("group", "still", **functions("some"), rollout_batch_size=16, total_episodes=48)
    again = train("group", "again", **functions("some"), rollout_batch_size=16, total_episodes=48, dynamic_sampling=9)
    assert still.steps[0]["frac_reward_zero_std"] > 0.4
    assert again.steps[0]["reward_std"] > still.steps[0]["reward_std"]
    assert len(still.steps) == len(again.steps) == 12
    assert again.steps[0]["frac_reward_zero_std"] > 0.4  # of those drawn


def test_where_nothing_tells_answers_apart_nothing_is_learnt(train, functions, weights, model):
    run = train("group", **functions("same"), dynamic_sampling=2)
    assert run.steps == []
    assert weights(run.folder) == weights(train("group", "bare", learning_rate=0.0, **functions("same")).folder)


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I23", "I45")
@pytest.mark.incident("T10", "T38")
@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "dr_grpo", "gspo", "rloo"])
def test_the_first_gradient_by_plain_transformers(before, model, plain, plain_log_probs, loss_type):
    """Where ρ is 1: -Σ A ∇ log π, added up as each paper writes it, one answer at a time."""
    from baro.recipes import group

    run = before(dtype="float64", loss_type=loss_type, temperature=0.7)
    update = one_update(run, group.PER.get(loss_type, "answer"))
    count = sum(batch.count for batch in update)
    for batch in update:
        (group.step(run.config, run.models, run.memory, batch).total / count).backward()
    theirs, total, tokens = plain(model), torch.zeros((), dtype=torch.float64), 0
    for batch in update:
        pieces = zip(batch.tokens.split(batch.lengths), batch.learn.split(batch.lengths), strict=True)
        rows = [Sequence(t.tolist(), flags.tolist()) for t, flags in pieces]
        credit = batch.extra["advantages"].split([row.count for row in rows])
        for row, advantages in zip(rows, credit, strict=True):
            loss = -(advantages.double() * plain_log_probs(theirs, row, 0.7)).sum()
            share = {"grpo": row.count, "gspo": row.count, "dr_grpo": run.config.max_completion_length}
            total, tokens = total + loss / share.get(loss_type, 1), tokens + row.count
    (total / (tokens if loss_type == "dapo" else 12)).backward()
    expected = dict(theirs.named_parameters())
    assert max(parameter.grad.abs().max() for parameter in expected.values()) > 1e-4
    for name, parameter in run.models.policy.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-6)


@pytest.mark.invariant("I51", "I28")
@pytest.mark.incident("T37", "T8")
@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_the_price_of_drift_in_the_loss_pulls_back_to_the_reference(before, move, model, estimator):
    from baro.recipes import group

    other = move(model)
    run = before([0.0] * 12, reference=other, beta=0.3, kl_estimator=estimator, dtype="float64")
    update = one_update(run, "token")
    count = sum(batch.count for batch in update)
    losses = [group.step(run.config, run.models, run.memory, batch) for batch in update]
    drift = torch.cat([batch.extra["old_log_probs"] - batch.extra["reference"] for batch in update]).double()
    expected = {"k2": drift.square() / 2, "k3": (-drift).exp() - 1 + drift}[estimator].sum().item()
    assert sum(loss.stats["loss/kl_avg"].total for loss in losses) == pytest.approx(expected, rel=1e-4)
    assert sum(loss.total.item() for loss in losses) == pytest.approx(0.3 * expected, rel=1e-4)
    assert count == len(drift)
    home = before([0.0] * 12, beta=0.3, dtype="float64")
    at_home = [group.step(home.config, home.models, home.memory, batch) for batch in one_update(home, "token")]
    assert sum(loss.total.item() for loss in at_home) == pytest.approx(0, abs=1e-9)


@pytest.mark.invariant("I23")
@pytest.mark.parametrize("method", ["group", "rloo", "grpo"])
def test_the_log_of_a_run(train, method):
    run = train(method, num_mini_batches=1)
    assert len(run.steps) == 3 * 2
    for line in run.steps[::2]:
        assert line["val/ratio"] == pytest.approx(1, abs=1e-6)
        assert line["policy/clipfrac_avg"] == 0
    assert run.steps[0]["objective/kl"] == 0
    assert run.steps[1]["policy/approxkl_avg"] > 1e-9
    assert run.steps[-1]["objective/kl"] != 0
    assert ("loss/kl_avg" in run.steps[0]) is (method == "grpo")
    assert run.result["method"] == method
    assert not (run.folder / "value").exists()


def test_it_learns_what_the_reward_asks_for(train, functions):
    run = train("group", **functions("length"), total_episodes=320, learning_rate=1e-2, num_iterations=1)
    first, last = run.steps[0]["objective/scores"], run.steps[-1]["objective/scores"]
    assert last > first + 5  # letters; the answers are at most 8 tokens long


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_generations": 1}, "num_generations"),
        ({"rollout_batch_size": 10}, "no multiple of num_generations=4"),
        ({"beta": 0.1, "kl_estimator": "k1"}, "no gradient on average"),
        ({"soft_punish_cache": 9}, "larger than max_completion_length"),
        ({"loss_type": "ppo"}, "loss_type"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, tmp_path, changes, message):
    from baro.core.errors import ConfigError
    from baro.engine.config import load
    from baro.recipes import group

    with pytest.raises(ConfigError, match=message):
        load(group.Config, None, (), **settings("group") | {"output_dir": tmp_path} | changes)
