"""PPO: act, remember, pay for drift, credit; each judged by plain transformers, by hand or by what must not change."""

import json
from types import SimpleNamespace

import pytest
import torch

from baro.core.types import Sequence

SCORES = [0.5, -1.0, 2.0, 0.0, 1.0, -0.5, 3.0, 0.25, -2.0, 1.5, 0.75, -0.25]
REWARD = """
def long(prompts, completions, **columns):
    return [float(len(text)) for text in completions]

def thousand(prompts, completions, **columns):
    return [1000.0] * len(completions)

def thing(prompts, completions, thing, **columns):
    return [float(prompt[-1]["content"] == f"Colour of the {name}?") for prompt, name in zip(prompts, thing)]
"""


@pytest.fixture
def functions(tmp_path):
    """name → a reward function in a file, as users name it."""
    file = tmp_path / "rewards.py"
    file.write_text(REWARD)
    return lambda name: f"{file}:{name}"


@pytest.fixture
def before(settings, world, model, reward, tmp_path):
    """(scores, models, **settings) → PPO before its first update, its answers scored as given."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer, value_model
    from baro.recipes import ppo
    from baro.recipes.rollout import Actor, Models

    def build(scores=SCORES, *, reference=model, critic=reward, zero=False, **changes):
        given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "kl_target": None}
        config = ppo.Config(**settings("ppo") | given | changes)
        place = {"dtype": config.dtype, "device": "cpu"}
        policy, anchor = (language_model(path, **place).eval() for path in (model, reference))
        models = Models(policy, value_model(critic, zero=zero, **place).eval(), anchor)
        prompts = read_prompts([world / "prompts.jsonl"]).rows
        actor = Actor(config, models, load_tokenizer(model), prompts, lambda rows: scores[: len(rows)], micro=5)
        return SimpleNamespace(config=config, models=models, actor=actor, memory=ppo.Memory(config, actor))

    return build


def answered(episodes) -> list:
    return [turn for episode in episodes for turn in episode.turns]


def one_update(memory, minibatches: int = 1) -> list:
    from baro.recipes.experience import Rollouts

    return next(Rollouts(memory, rollouts=1, epochs=1, minibatches=minibatches, max_sequences=4, seed=0))


# --- the first pass --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I23")
@pytest.mark.incident("T32", "T33")
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_gradient_is_reinforce(before, model, plain, plain_log_probs, temperature):
    """-Σ A ∇ log π, by autograd on transformers' own model, one answer at a time."""
    from baro.recipes import ppo

    run = before(dtype="float64", temperature=temperature)
    update = one_update(run.memory)
    count = sum(batch.count for batch in update)
    for batch in update:
        (ppo.step(run.config, run.models, run.memory, batch).total / count).backward()
    experience, theirs = run.memory, plain(model)
    total = torch.zeros((), dtype=torch.float64)
    for batch in (batch for batch in update if "advantages" in batch.extra):
        tokens, learn = batch.tokens.split(batch.lengths), batch.learn.split(batch.lengths)
        rows = [Sequence(t.tolist(), flags.tolist()) for t, flags in zip(tokens, learn, strict=True)]
        credit = batch.extra["advantages"].split([row.count for row in rows])
        for row, advantages in zip(rows, credit, strict=True):
            total = total - (advantages.double() * plain_log_probs(theirs, row, temperature)).sum()
    (total / count).backward()
    expected = dict(theirs.named_parameters())
    assert max(parameter.grad.abs().max() for parameter in expected.values()) > 1e-3
    for name, parameter in run.models.policy.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-4, atol=1e-7)
    assert experience.figures["objective/kl"] == 0


@pytest.mark.invariant("I23", "I24", "I28")
def test_the_log_of_the_first_update_of_a_rollout(train):
    run = train("ppo", num_mini_batches=1, kl_target=None)
    assert len(run.steps) == 3 * 2
    for line in run.steps[::2]:  # two epochs a rollout, one minibatch an epoch
        assert line["loss/policy_avg"] == pytest.approx(0, abs=1e-6)
        assert line["val/ratio"] == pytest.approx(1, abs=1e-6)
        assert line["policy/approxkl_avg"] == pytest.approx(0, abs=1e-10)
        assert line["policy/clipfrac_avg"] == 0
    assert run.steps[1]["policy/approxkl_avg"] > 1e-8
    assert run.steps[0]["objective/kl"] == 0
    assert run.steps[0]["objective/rlhf_reward"] == run.steps[0]["objective/scores"]
    assert run.steps[-1]["objective/kl"] != 0
    assert run.result["metrics"]["objective/kl"] == run.steps[-1]["objective/kl"]


@pytest.mark.invariant("I42")
@pytest.mark.incident("T34")
def test_a_model_with_dropout_is_trained_without_it(train, foreign, functions):
    run = train(
        "ppo",
        model_name_or_path=str(foreign("gpt2")),
        reward_model_name_or_path=None,
        reward_funcs=[functions("long")],
        num_mini_batches=1,
        kl_target=None,
        total_episodes=12,
    )
    assert run.steps[0]["val/ratio"] == pytest.approx(1, abs=1e-6)
    assert run.steps[0]["policy/approxkl_avg"] == pytest.approx(0, abs=1e-10)
    assert run.steps[0]["objective/kl"] == 0


@pytest.mark.invariant("I42")
def test_recalling_twice_gives_the_same_bits(before):
    run = before()
    sequences = [episode.sequence for episode in run.actor.act(0)]
    first, second = run.actor.recall(sequences), run.actor.recall(sequences)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# --- remember --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I35", "I40")
@pytest.mark.incident("T33", "T32")
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_what_is_remembered(before, move, model, plain, plain_log_probs, temperature):
    from baro.evals.answers import as_sequence

    other = move(model)
    run = before(reference=other, temperature=temperature)
    rows = answered(run.actor.act(0))
    sequences = [as_sequence(row) for row in rows]
    old, entropy, reference, _ = run.actor.recall(sequences)
    sampled = torch.tensor([value for row in rows for value in row.answer.log_probs])
    torch.testing.assert_close(old, sampled, atol=2e-5, rtol=0)
    for found, path in ((old, model), (reference, other)):
        expected = torch.cat([plain_log_probs(plain(path), sequence, temperature) for sequence in sequences])
        torch.testing.assert_close(found.double(), expected.detach(), atol=2e-5, rtol=0)
    first = sequences[0]
    logits = plain(model)(torch.tensor([first.tokens])).logits[0].detach() / temperature
    spread = torch.distributions.Categorical(logits=logits).entropy()
    expected = torch.stack([spread[t - 1] for t in range(1, len(first.tokens)) if first.learn[t]])
    torch.testing.assert_close(entropy[: len(expected)].double(), expected, atol=2e-5, rtol=0)


def test_a_critic_from_a_reward_model_speaks_on_its_scale(before, reward, tmp_path):
    """The value before a token is the reward model's normalised score of the answer up to there."""
    from transformers import AutoModelForSequenceClassification

    from baro.data.packing import pack
    from baro.models.forward import values
    from baro.models.heads import normalise
    from baro.models.load import load_tokenizer, reward_model, save

    known = reward_model(reward, dtype="float32", device="cpu")
    gain, bias = normalise(known, [3.0, 4.0, 5.5])
    save(known, load_tokenizer(reward), tmp_path / "normalised")
    run = before(critic=tmp_path / "normalised")
    sequence = Sequence([1, 30, 40, 50, 60, 70], [False, False, False, True, True, True])
    bare = AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1, dtype=torch.float64).eval()
    with torch.no_grad():
        found = values(run.models.value, pack([sequence]))
        expected = [gain * bare(torch.tensor([sequence.tokens[:t]])).logits.item() + bias for t in (3, 4, 5)]
    assert gain != 1
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.invariant("I32")
def test_without_a_reward_model_the_critic_begins_at_zero(train, functions):
    run = train("ppo", reward_model_name_or_path=None, reward_funcs=[functions("long")], kl_target=None)
    # values of 0 explain nothing of the returns, exactly
    assert run.steps[0]["val/explained_variance"] == 0
    assert run.steps[-1]["val/explained_variance"] != 0
    assert (run.folder / "value" / "model.safetensors").is_file()


# --- pay and credit --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I26")
@pytest.mark.incident("T39")
def test_whitening_touches_the_credit_and_not_the_returns(before, move, model):
    other = move(model)
    bare = before(reference=other, whiten_advantages=False).memory(0)
    white = before(reference=other, whiten_advantages=True).memory(0)
    torch.testing.assert_close(bare.returns, bare.advantages + bare.values, atol=1e-6, rtol=0)
    assert torch.equal(bare.returns, white.returns)
    spread = bare.advantages.double()
    expected = (spread - spread.mean()) / spread.std(correction=0)
    torch.testing.assert_close(white.advantages.double(), expected, atol=1e-5, rtol=0)
    # over all answers of the rollout together, however long each is
    assert len({sequence.count for sequence in white.sequences}) > 1


@pytest.mark.invariant("I41")
def test_whitened_rewards_forget_their_scale(before):
    """Whitening keeps the mean of the rewards, so it is rewards of mean 0 whose scale is forgotten."""
    scores = [1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 0.25, -0.25, 3.0, -3.0, 1.5, -1.5]
    tens = [10 * score for score in scores]
    whitened = {"whiten_rewards": True, "whiten_advantages": False, "kl_coef": 0.0}
    first, second = before(scores, **whitened).memory(0), before(tens, **whitened).memory(0)
    torch.testing.assert_close(first.advantages, second.advantages, atol=1e-5, rtol=1e-5)
    bare = {"whiten_rewards": False, "whiten_advantages": False, "kl_coef": 0.0, "zero": True}
    first, second = before(scores, **bare).memory(0), before(tens, **bare).memory(0)
    torch.testing.assert_close(10 * first.advantages, second.advantages, atol=1e-5, rtol=1e-5)
    assert first.advantages.abs().max() > 1


@pytest.mark.invariant("I29")
def test_a_price_of_zero_ignores_the_reference_to_the_last_bit(train, move, model, weights):
    runs = [
        train("ppo", name, ref_model=path, kl_coef=0.0, kl_target=None)
        for name, path in (("own", None), ("other", move(model)))
    ]
    assert weights(runs[0].folder) == weights(runs[1].folder)
    assert runs[1].steps[0]["objective/kl"] != 0


@pytest.mark.invariant("I29")
def test_an_enormous_price_keeps_the_policy_at_home(train, functions):
    changes = {
        "reward_model_name_or_path": None,
        "reward_funcs": [functions("long")],
        "kl_target": None,
        "total_episodes": 120,
        "num_ppo_epochs": 2,
        "lam": 1.0,
        "learning_rate": 1e-2,
    }
    free, dear = (train("ppo", name, kl_coef=price, **changes) for name, price in (("free", 0.0), ("dear", 1e4)))
    assert free.steps[-1]["objective/kl"] > 1
    assert abs(dear.steps[-1]["objective/kl"]) < 0.2 * free.steps[-1]["objective/kl"]


@pytest.mark.invariant("I36")
@pytest.mark.incident("T21")
def test_the_penalty_replaces_the_score(train, functions):
    run = train(
        "ppo",
        reward_model_name_or_path=None,
        reward_funcs=[functions("thousand")],
        missing_eos_penalty=3.0,
        max_completion_length=1,
    )
    for line in run.steps:  # an answer is its end token (1000), or one token that is not (-3)
        ended = line["val/ended"]
        assert line["objective/scores"] == pytest.approx(1000 * ended - 3 * (1 - ended), rel=1e-5)
    assert any(line["val/ended"] < 1 for line in run.steps)


@pytest.mark.invariant("I33")
def test_the_price_adapts_from_rollout_to_rollout(train):
    run = train("ppo", kl_coef=0.2, kl_target=0.05, kl_horizon=100, total_episodes=60, num_mini_batches=1)
    rollouts = [run.steps[i] for i in range(0, len(run.steps), 2)]
    assert len(rollouts) == 5
    price = 0.2
    for line in rollouts:
        assert line["objective/kl_coef"] == pytest.approx(price, rel=1e-6)
        price *= 1 + min(max(line["objective/kl"] / 0.05 - 1, -0.2), 0.2) * 12 / 100
    assert rollouts[1]["objective/kl_coef"] < 0.2  # no drift at first: the price falls


# --- scores ----------------------------------------------------------------------------------------------------------


def test_rewards_are_weighted_and_added(before, reward, functions):
    from transformers import AutoModelForSequenceClassification

    from baro.evals.answers import as_sequence
    from baro.models.load import load_tokenizer
    from baro.recipes.scoring import scorer

    run = before()
    rows = answered(run.actor.act(0))
    config = run.config.model_copy(update={"reward_funcs": [functions("long")], "reward_weights": [2.0, 0.5]})
    found = scorer(config, load_tokenizer(reward))(rows)
    bare = AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1, dtype=torch.float64).eval()
    for row, score in zip(rows, found, strict=True):
        with torch.no_grad():
            own = bare(torch.tensor([as_sequence(row).tokens])).logits.item()
        assert score == pytest.approx(2 * own + 0.5 * len(row.text), rel=1e-4, abs=1e-4)


def test_functions_see_the_other_columns_of_the_prompts(before, functions, model):
    from baro.models.load import load_tokenizer
    from baro.recipes.scoring import scorer

    run = before()
    rows = answered(run.actor.act(1))
    config = run.config.model_copy(update={"reward_funcs": [functions("thing")], "reward_model_name_or_path": None})
    assert scorer(config, load_tokenizer(model))(rows) == [1.0] * 12


def test_a_reward_model_with_another_tokenizer_reads_the_text(before, foreign, tmp_path, bytes_tokenizer):
    from baro.models.load import load_tokenizer, reward_model, save
    from baro.recipes.scoring import by_model

    other = tmp_path / "other"
    save(reward_model(foreign("qwen3"), seed=0, dtype="float32", device="cpu"), bytes_tokenizer, other)
    run = before()
    rows = answered(run.actor.act(0))
    found = by_model(str(other), run.actor.tokenizer, dtype="float32", device="cpu")(rows)
    assert len(set(found)) > 6
    # the same text from other tokens of the policy scores the same
    from dataclasses import replace

    blind = [replace(row, prompt_tokens=[1], answer=replace(row.answer, tokens=[5])) for row in rows]
    again = by_model(str(other), load_tokenizer(run.config.model_name_or_path), dtype="float32", device="cpu")(blind)
    assert again == pytest.approx(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward_model_name_or_path": None}, "nothing to score with"),
        ({"reward_weights": [1.0, 2.0]}, "2 numbers for 1 reward"),
        ({"temperature": 0.0}, "temperature"),
        ({"num_mini_batches": 0}, "num_mini_batches"),
        ({"kl_target": 0.0}, "kl_target"),
        ({"learning_rate": -1.0}, "learning_rate"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_starts(settings, tmp_path, changes, message):
    from baro.core.errors import ConfigError
    from baro.engine.config import load
    from baro.recipes import ppo

    with pytest.raises(ConfigError, match=message):
        load(ppo.Config, None, (), **settings("ppo") | {"output_dir": tmp_path} | changes)


# --- what must not move ----------------------------------------------------------------------------------------------


@pytest.mark.invariant("I39")
@pytest.mark.incident("T35")
def test_nothing_but_policy_and_critic_moves(train, model, reward, monkeypatch):
    """The critic begins as the reward model; training it must not change the one that scores."""
    from baro.recipes import ppo, scoring

    made = {}
    for module, name in ((ppo, "language_model"), (ppo, "value_model"), (scoring, "trained")):
        loader = getattr(module, name)

        def remember(*args, loader=loader, name=name, **options):
            loaded = loader(*args, **options)
            before = {key: value.clone() for key, value in loaded.state_dict().items()}
            made.setdefault(name, []).append((loaded, before))
            return loaded

        monkeypatch.setattr(module, name, remember)
    files = [*model.iterdir(), *reward.iterdir()]
    contents = [file.read_bytes() for file in files]
    train("ppo", learning_rate=1e-2)

    def moved(pair) -> bool:
        return any(not torch.equal(value, pair[1][name]) for name, value in pair[0].state_dict().items())

    policy, reference = made["language_model"]
    assert moved(policy)
    assert moved(made["value_model"][0])
    assert not moved(reference)
    assert not any(parameter.requires_grad for parameter in reference[0].parameters())
    assert not moved(made["trained"][0])
    assert [file.read_bytes() for file in files] == contents


@pytest.mark.invariant("I34")
def test_a_mix_of_weight_0_changes_no_bit_and_another_does(train, world, weights):
    text = [str(world / "text.jsonl")]
    plain, none, some = (
        train("ppo", name, **changes)
        for name, changes in (
            ("plain", {}),
            ("none", {"ptx_dataset": text, "ptx_coef": 0.0}),
            ("some", {"ptx_dataset": text, "ptx_coef": 1.0}),
        )
    )
    assert weights(plain.folder) == weights(none.folder)
    assert weights(plain.folder) != weights(some.folder)
    assert plain.steps[0]["count"] == some.steps[0]["count"]  # text does not count as experience
    # a fresh model of 320 tokens loses about ln 320 nats on text
    assert some.steps[0]["loss/ptx"] == pytest.approx(5.77, abs=0.5)
    first = some.steps[0]
    shared = first["loss/policy_avg"] + 0.1 * first["loss/value_avg"]
    assert first["loss"] == pytest.approx(shared + 1.0 * first["loss/ptx"], rel=1e-4)


@pytest.mark.invariant("I34")
def test_the_mix_adds_its_coefficient_times_the_gradient_of_the_mean_loss(before, world, model, plain):
    from baro.recipes import ppo
    from baro.recipes.mixture import TextMix

    run = before(dtype="float64")
    update = one_update(run.memory)
    mix = TextMix([world / "text.jsonl"], 2.5, run.actor.tokenizer, run.config)
    text = mix(0, update)[-1]
    count = sum(batch.count for batch in update)
    (ppo.step(run.config, run.models, run.memory, text).total / count).backward()
    theirs, nats, tokens = plain(model), torch.zeros((), dtype=torch.float64), 0
    for piece in text.tokens.split(text.lengths):
        logs = theirs(piece[None]).logits[0, :-1].log_softmax(-1)
        nats = nats - logs.gather(1, piece[1:, None]).sum()
        tokens += len(piece) - 1
    (2.5 * nats / tokens).backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in run.models.policy.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-5, atol=1e-8)
    assert all(parameter.grad is None for parameter in run.models.value.parameters())


# --- prompts and state -----------------------------------------------------------------------------------------------


@pytest.mark.invariant("I65")
def test_prompts_are_gone_through_in_permutations_that_wrap(before):
    places = [before(rollout_batch_size=5).actor.rows(rollout) for rollout in range(5)]
    order = [row for rows in places for row in rows]
    assert len(order) == 25
    assert sorted(order[:12]) == sorted(order[12:24]) == list(range(12))
    assert order[:12] != order[12:24]
    again = before(rollout_batch_size=5).actor.rows(3)
    assert again == order[15:20]  # of the rollout alone, whatever was asked before
    assert before(rollout_batch_size=5, seed=1).actor.rows(0) != order[:5]
    assert sorted(before(rollout_batch_size=12).actor.rows(0)) == list(range(12))


def test_a_prompt_met_again_is_answered_anew(before):
    run = before(rollout_batch_size=12)
    first, second = answered(run.actor.act(0)), answered(run.actor.act(1))
    seen = {row.prompt.where: row.answer.tokens for row in first}
    assert set(seen) == {row.prompt.where for row in second}
    assert any(seen[row.prompt.where] != row.answer.tokens for row in second)


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
def test_state_of_price_and_experience_survives_a_checkpoint(before, move, model, tmp_path):
    from baro.engine import checkpoint
    from baro.recipes.experience import Rollouts

    def updates(memory):
        return Rollouts(memory, rollouts=2, epochs=1, minibatches=2, max_sequences=4, seed=0)

    other = move(model)
    run = before(reference=other, kl_target=0.01)
    first = updates(run.memory)
    next(first)
    checkpoint.save(tmp_path / "step-00000001", {"updates": first.state(), "memory": run.memory.state()})
    tree = checkpoint.load(tmp_path / "step-00000001")
    again = before(reference=other, kl_target=0.01)
    second = updates(again.memory)
    second.restore(tree["updates"])
    again.memory.restore(tree["memory"])
    assert again.memory.kl_coef == run.memory.kl_coef != run.config.kl_coef
    assert again.memory.figures == run.memory.figures
    for ours, theirs in zip(next(first), next(second), strict=True):
        assert torch.equal(ours.tokens, theirs.tokens)
        assert torch.equal(ours.learn, theirs.learn)
        assert ours.where == theirs.where
        assert all(torch.equal(ours.extra[name], theirs.extra[name]) for name in ours.extra)


def test_fewer_answers_than_minibatches_and_a_last_partial_rollout(train, functions):
    run = train("ppo", rollout_batch_size=3, num_mini_batches=4, num_ppo_epochs=1, total_episodes=7)
    assert len(json.loads((run.folder / "run.json").read_text())["settings"]) > 10
    assert len(run.steps) == 2 * 3  # two whole rollouts; the fourth part of three answers is empty


def test_while_the_critic_warms_up_the_policy_stays(train):
    warm, plain = train("ppo", "warm", critic_warmup=2, kl_target=None), train("ppo", "plain", kl_target=None)
    per = 2 * 2  # passes and parts
    assert max(abs(line["objective/kl"]) for line in warm.steps[: 3 * per]) < 1e-6
    assert all("policy/approxkl_avg" not in line for line in warm.steps[: 2 * per])
    assert warm.steps[2 * per]["policy/approxkl_avg"] < 1e-10
    assert warm.steps[2 * per - 1]["loss/value_avg"] < warm.steps[0]["loss/value_avg"]
    assert abs(plain.steps[per]["objective/kl"]) > 1e-5


def test_an_update_that_went_too_far_ends_its_rollout(train):
    run = train("ppo", early_stop_kl=1e-12)
    taken = [line for line in run.log if "policy/approxkl_avg" in line]
    assert [line["step"] for line in taken] == [1, 2, 5, 6, 9, 10], "the first of a rollout has not moved yet"
    assert run.result["metrics"]["objective/kl"] != 0.0
