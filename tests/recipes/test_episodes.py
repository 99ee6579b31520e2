"""Episodes of several turns: the ids that were sampled, whose tokens are learnt, where rewards are, and resuming."""

import json
from types import SimpleNamespace

import pytest
import torch

from baro.core.errors import BaroError
from baro.engine import checkpoint

WORLD = """
from dataclasses import replace
from baro.rewards.environment import Step, begin

class Talk:
    '''Says "and?" until the given number of turns; the k-th answer earns k.'''
    def __init__(self, turns=3): self.max_turns, self.turns = 5, turns
    def reset(self, prompts, seeds): return [begin(prompt) for prompt in prompts]
    def step(self, states, actions):
        found = []
        for state in states:
            said = 1 + sum(message.role == "assistant" for message in state.messages)
            found.append(Step(float(said), "and?" if said < self.turns else None))
        return found

class Length:
    max_turns = 1
    def reset(self, prompts, seeds): return [begin(prompt) for prompt in prompts]
    def step(self, states, actions): return [Step(float(len(said))) for said in actions]
"""


@pytest.fixture
def talk(tmp_path):
    """class → settings of that environment instead of a reward model."""
    file = tmp_path / "worlds.py"
    file.write_text(WORLD)
    return lambda name="Talk", **args: {
        "reward_model_name_or_path": None,
        "environment": f"{file}:{name}",
        "environment_args": args,
    }


@pytest.fixture
def played(settings, world, model, talk, tmp_path):
    """(samples, first_row, **settings) → the episodes of some prompts under a random model."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer
    from baro.recipes import group
    from baro.recipes.episodes import play
    from baro.recipes.scoring import environment

    def build(samples=2, first_row=0, prompts=3, score=None, turns=3, **changes) -> SimpleNamespace:
        given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "max_completion_length": 3}
        config = group.Config(**settings("group") | given | talk(turns=turns) | changes)
        policy, tokenizer = language_model(model, dtype="float32", device="cpu").eval(), load_tokenizer(model)
        rows = read_prompts([world / "prompts.jsonl"]).rows[:prompts]
        options = {"world": environment(config), "samples": samples, "first_row": first_row}
        found = play(config, policy, tokenizer, rows, score, **options)
        return SimpleNamespace(groups=found, tokenizer=tokenizer, policy=policy, rows=rows)

    return build


@pytest.mark.incident("T23", "T12", "T21")
def test_only_the_policys_own_tokens_are_learnt_and_they_are_the_sampled_ones(played):
    run = played()
    assert [len(group) for group in run.groups] == [2, 2, 2]
    for group in run.groups:
        for episode in group:
            assert len(episode.turns) == 3
            sequence = episode.sequence
            own = [token for token, learnt in zip(sequence.tokens, sequence.learn, strict=True) if learnt]
            assert own == [token for turn in episode.turns for token in turn.answer.tokens]
            for before, after in zip(episode.turns[:-1], episode.turns[1:], strict=True):
                whole = before.prompt_tokens + before.answer.tokens
                assert after.prompt_tokens[: len(whole)] == whole
                heard = run.tokenizer.decode(after.prompt_tokens[len(whole) :])
                assert "and?" in heard
                assert heard.endswith("<|assistant|>")
                assert heard.startswith("<|end|>") is not before.answer.ended
            assert [m["role"] for m in episode.said] == ["assistant", "user", "assistant", "user", "assistant"]


@pytest.mark.invariant("I8")
@pytest.mark.incident("T16")
def test_what_the_policy_reads_is_what_serving_would_render(played):
    """As far as text and ids are one to one: the answers here decode and encode to themselves, or are left out."""
    from baro.data.templates import render_prompts

    run, same = played(samples=16, max_completion_length=2), 0
    for episode in (episode for group in run.groups for episode in group):
        last = episode.turns[-1]
        exact = all(
            run.tokenizer(turn.text, add_special_tokens=False)["input_ids"]
            == (turn.answer.tokens[:-1] if turn.answer.ended else turn.answer.tokens)
            for turn in episode.turns[:-1]
        )
        if exact:
            same += 1
            assert last.prompt_tokens == render_prompts(run.tokenizer, [last.prompt])[0]
            assert last.prompt_tokens.count(run.tokenizer.bos_token_id) == 1
    assert same > 2


@pytest.mark.invariant("I27")
def test_every_reward_stands_at_the_last_token_of_the_turn_that_earned_it(played):
    for episode in (episode for group in played().groups for episode in group):
        assert episode.rewards == (1.0, 2.0, 3.0)
        assert episode.score == 6.0
        ends = torch.tensor([len(turn.answer.tokens) for turn in episode.turns]).cumsum(0) - 1
        earned = episode.earned()
        assert earned[ends].tolist() == [1.0, 2.0, 3.0]
        assert earned.sum() == 6
        assert len(earned) == episode.sequence.count


def test_the_score_of_a_reward_model_is_added_to_the_last_turn(played):
    episode = played(score=lambda rows: [10.0] * len(rows)).groups[0][0]
    assert episode.rewards == (1.0, 2.0, 13.0)


@pytest.mark.invariant("I36")
def test_with_a_penalty_a_turn_that_does_not_end_ends_the_episode(played):
    for episode in (episode for group in played(missing_eos_penalty=7.0).groups for episode in group):
        cut = [not turn.answer.ended for turn in episode.turns]
        assert not any(cut[:-1])
        assert (episode.rewards[-1] == -7.0) is cut[-1]


def test_an_episode_ends_with_the_environments_turns_or_the_models_context(played):
    assert {len(episode.turns) for group in played(turns=9).groups for episode in group} == {5}  # max_turns
    crowded = played(turns=9, max_completion_length=20).groups
    assert all(len(episode.sequence.tokens) <= 64 for group in crowded for episode in group)
    assert min(len(episode.turns) for group in crowded for episode in group) < 5


@pytest.mark.invariant("I65")
def test_an_episode_depends_on_its_row_and_number_alone(played):
    whole = played(prompts=3).groups
    again = played(prompts=3).groups
    tail = played(prompts=1).groups
    assert [e.sequence.tokens for g in whole for e in g] == [e.sequence.tokens for g in again for e in g]
    assert [e.sequence.tokens for e in whole[0]] == [e.sequence.tokens for e in tail[0]]
    assert whole[0][0].sequence.tokens != whole[0][1].sequence.tokens
    assert played(first_row=1, prompts=1).groups[0][0].sequence.tokens != whole[0][0].sequence.tokens


def test_later_turns_are_drawn_apart_too(played):
    """The model is close to uniform: episodes that shared their random numbers would share their words."""
    second = [episode.turns[1].answer.tokens[0] for group in played(prompts=3).groups for episode in group]
    assert len(second) >= 6
    assert len(set(second)) > len(second) / 2


@pytest.mark.invariant("I23", "I26")
@pytest.mark.parametrize("method", ["ppo", "group", "online_dpo", "rejection"])
def test_every_method_runs_on_several_turns(train, talk, method):
    changes = {"rounds": 1, "num_train_epochs": 1.0} if method == "rejection" else {"num_mini_batches": 1}
    run = train(method, **talk(turns=2), max_completion_length=3, **changes)
    if method == "online_dpo":
        assert run.steps == []  # every episode earns 3, so none is better
        return
    if method == "rejection":
        lines = [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()]
        assert lines[0]["rewards"] == [3.0] * 4
        assert [turn["role"] for turn in lines[0]["completions"][0]] == ["assistant", "user", "assistant"]
        return
    assert run.steps[0]["objective/scores"] == 3
    assert run.steps[0]["val/ratio"] == pytest.approx(1, abs=1e-6)
    assert run.steps[0]["objective/kl"] == 0


def test_rewards_of_turns_reach_ppos_returns(train, talk, settings, tmp_path):
    """Without a critic, discount or KL the return of a token is what is still to be earned."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer, value_model
    from baro.recipes import ppo
    from baro.recipes.rollout import Actor, Models
    from baro.recipes.scoring import environment

    given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "kl_coef": 0.0, "kl_target": None, "lam": 1.0}
    config = ppo.Config(**settings("ppo") | given | talk(turns=3) | {"max_completion_length": 2})
    path = config.model_name_or_path
    policy = language_model(path, dtype="float32", device="cpu").eval()
    critic = value_model(path, zero=True, dtype="float32", device="cpu").eval()
    models, prompts = Models(policy, critic, policy), read_prompts(config.dataset).rows
    actor = Actor(config, models, load_tokenizer(path), prompts, None, micro=4, world=environment(config))
    memory = ppo.Memory(config, actor)
    experience, episodes = memory(0), actor.act(0)
    pieces = experience.returns.split([sequence.count for sequence in experience.sequences])
    for piece, episode in zip(pieces, episodes, strict=True):
        turns = [len(turn.answer.tokens) for turn in episode.turns]
        assert piece.tolist() == pytest.approx([6.0] * turns[0] + [5.0] * turns[1] + [3.0] * turns[2], abs=1e-5)


# --- a reward that fails ---------------------------------------------------------------------------------------------

BREAKS = """
import pathlib
FLAG = pathlib.Path(__file__).with_name("mended")
seen = []

def score(prompts, completions, **columns):
    seen.append(1)
    if len(seen) > 2 and not FLAG.exists():
        raise RuntimeError("the judge is asleep")
    return [float(len(text)) for text in completions]
"""


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("method", ["ppo", "group", "rejection"])
def test_a_reward_that_fails_names_the_prompt_and_the_mended_run_goes_on_to_the_same_bits(
    train, weights, tmp_path, method
):
    changes = {"num_generations": 4, "rounds": 3, "num_train_epochs": 1.0} if method == "rejection" else {}
    changes |= {"save_steps": 1} if method == "group" else {}  # the checkpoint of the last update is there already
    file = tmp_path / "asleep.py"
    file.write_text(BREAKS)
    broken = {"reward_model_name_or_path": None, "reward_funcs": [f"{file}:score"]} | changes
    with pytest.raises(BaroError, match="raised RuntimeError: the judge is asleep") as caught:
        train(method, "broken", **broken)
    assert "prompts.jsonl:" in caught.value.where
    assert "Colour of the" in caught.value.message
    done = (tmp_path / "broken" / "metrics.jsonl").read_text().count("\n")
    assert done > 0
    assert checkpoint.listing(tmp_path / "broken" / "checkpoints"), "what was learnt until then is kept"
    (tmp_path / "mended").touch()
    mended, whole = train(method, "broken", **broken), train(method, "whole", **broken)
    assert weights(mended.folder) == weights(whole.folder)
    assert [line["loss"] for line in mended.steps] == [line["loss"] for line in whole.steps]
