"""How the recipes put their pieces together, judged by plain transformers, by hand and by what must not change.

Each test names the incidents it would have caught.
"""

import json
import math

import pytest
import torch

from baro.core.types import Answer, Sequence
from baro.data.records import Message, Prompt
from baro.evals.answers import Answered, as_sequence


def perturbed(folder, target, *, seed: int = 7, scale: float = 0.3) -> str:
    """A copy of a saved model whose weights moved."""
    from baro.models.load import language_model, load_tokenizer, save

    model = language_model(folder, dtype="float32", device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += scale * parameter.std() * torch.randn(parameter.shape, generator=generator)
    save(model, load_tokenizer(folder), target)
    return str(target)


@pytest.fixture(scope="module")
def other(model, tmp_path_factory) -> str:
    """A reference that differs from the policy."""
    return perturbed(model, tmp_path_factory.mktemp("other"))


def plain_log_probs(path: str, sequence: Sequence, temperature: float = 1.0) -> list[float]:
    """Log-probabilities of the learnt tokens of one sequence, by transformers alone."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval()
    with torch.no_grad():
        logs = (model(torch.tensor([sequence.tokens])).logits[0] / temperature).log_softmax(-1)
    return [logs[t - 1, sequence.tokens[t]].item() for t in range(1, len(sequence.tokens)) if sequence.learn[t]]


# --- DPO -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair_of(world, model):
    """Two rendered pairs of unequal length."""
    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer

    return render_pairs(load_tokenizer(model), read_preferences([world / "preferences.jsonl"]).rows[:2], 64)


def dpo_config(settings, tmp_path, **changes):
    from baro.recipes import dpo

    return dpo.Config(**settings("dpo") | {"output_dir": tmp_path, "device": "cpu", "dtype": "float32"} | changes)


def dpo_loss(config, model, reference, pairs, tmp_path):
    """Loss of the recipe's step on `pairs`, with the reference's log-probs worked out as in `main`."""
    from baro.models.load import language_model
    from baro.recipes import dpo, stage

    flat = [sequence for pair in pairs for sequence in pair]
    anchors = dpo.reference_log_probs(str(reference), flat, tmp_path / "cache", config).view(-1, 2)
    rows = [(*pair, anchor) for pair, anchor in zip(pairs, anchors, strict=True)]
    build = stage.paired(config, lambda chunk: {"reference": torch.cat([row[2] for row in chunk])})
    policy = language_model(model, dtype="float32", device="cpu").eval()
    return [dpo.step(policy, batch, config) for batch in build(rows)]


@pytest.mark.invariant("I52", "I60")
@pytest.mark.parametrize(("loss_type", "value"), [("sigmoid", math.log(2)), ("robust", math.log(2)), ("hinge", 1.0)])
def test_at_step_0_policy_and_reference_agree(settings, model, pair_of, tmp_path, loss_type, value):
    config = dpo_config(settings, tmp_path, loss_type=loss_type)
    (loss,) = dpo_loss(config, model, model, pair_of, tmp_path)
    assert loss.total.item() == pytest.approx(2 * value, abs=1e-5)
    assert loss.stats["rewards/margins"].value == pytest.approx(0, abs=1e-6)


@pytest.mark.invariant("I57")
@pytest.mark.incident("T36", "T35", "T12")
@pytest.mark.parametrize("micro", [1, 2])
def test_dpo_against_its_reference_by_plain_transformers(settings, model, other, pair_of, tmp_path, micro):
    config = dpo_config(settings, tmp_path, beta=0.5, per_device_train_batch_size=micro)
    losses = dpo_loss(config, model, other, pair_of, tmp_path)
    assert len(losses) == 2 // micro
    total = 0.0
    for chosen, rejected in pair_of:
        won, lost = (sum(plain_log_probs(str(model), s)) - sum(plain_log_probs(other, s)) for s in (chosen, rejected))
        assert abs(won - lost) > 0.01
        total += math.log1p(math.exp(-0.5 * (won - lost)))
    assert sum(loss.total.item() for loss in losses) == pytest.approx(total, rel=1e-4)


@pytest.mark.incident("T36")
def test_the_cache_belongs_to_one_reference(settings, model, other, pair_of, tmp_path):
    from baro.recipes import dpo

    config, flat = dpo_config(settings, tmp_path), [sequence for pair in pair_of for sequence in pair]
    first, second, again = (
        dpo.reference_log_probs(str(path), flat, tmp_path / "cache", config) for path in (model, other, model)
    )
    assert (first - second).abs().min() > 1e-4
    assert torch.equal(first, again)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    # a model trained on in place has the same path and other weights
    moved = tmp_path / "moved"
    perturbed(model, moved, seed=1)
    before = dpo.reference_log_probs(str(moved), flat, tmp_path / "cache", config)
    perturbed(other, moved, seed=2)
    assert not torch.equal(before, dpo.reference_log_probs(str(moved), flat, tmp_path / "cache", config))


@pytest.mark.incident("T10")
def test_orpo_learns_the_chosen_answer_too(settings, model, pair_of, tmp_path):
    from baro.models.load import language_model
    from baro.recipes import dpo, stage

    config = dpo_config(settings, tmp_path, loss_type="orpo", beta=0.25)
    build = stage.paired(config, lambda chunk: {"reference": torch.zeros(2 * len(chunk))})
    (batch,) = build([(*pair, None) for pair in pair_of])
    total = 0.0
    for pair in pair_of:
        won, lost = (sum(logs) / len(logs) for logs in (plain_log_probs(str(model), s) for s in pair))
        odds = [mean - math.log1p(-math.exp(mean)) for mean in (won, lost)]
        total += 0.25 * math.log1p(math.exp(-(odds[0] - odds[1]))) - won
    found = dpo.step(language_model(model, dtype="float32", device="cpu").eval(), batch, config)
    assert found.total.item() == pytest.approx(total, rel=1e-4)


# --- reward model ----------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I14", "I18")
@pytest.mark.incident("T25")
def test_reward_loss_by_plain_transformers(settings, reward, pair_of, tmp_path):
    from transformers import AutoModelForSequenceClassification

    from baro.models.load import reward_model
    from baro.recipes import reward as recipe
    from baro.recipes import stage

    config = recipe.Config(**settings("reward") | {"output_dir": tmp_path, "per_device_train_batch_size": 1})
    margins = (0.7, 0.0)
    build = stage.paired(config, lambda chunk: {"margin": torch.tensor([row[2] for row in chunk])})
    batches = build([(*pair, margin) for pair, margin in zip(pair_of, margins, strict=True)])
    ours = reward_model(reward, dtype="float32", device="cpu").eval()
    found = [recipe.step(ours, batch, centre=0.1).total.item() for batch in batches]
    plain = AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1, dtype=torch.float64).eval()
    for value, pair, margin in zip(found, pair_of, margins, strict=True):
        with torch.no_grad():
            won, lost = (plain(torch.tensor([s.tokens])).logits.item() for s in pair)
        assert abs(won - lost) > 1e-3
        expected = math.log1p(math.exp(-(won - lost - margin))) + 0.1 * (won + lost) ** 2
        assert value == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@pytest.mark.invariant("I19")
def test_a_trained_reward_model_is_normalised_and_keeps_that_in_its_folder(settings, world, tmp_path):
    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer, reward_model
    from baro.recipes import reward as recipe
    from baro.rewards.model import model_scores

    recipe.main(recipe.Config(**settings("reward") | {"output_dir": tmp_path}))
    rows = render_pairs(load_tokenizer(tmp_path), read_preferences([world / "preferences.jsonl"]).rows, 64)
    scores = torch.tensor(model_scores(reward_model(tmp_path).eval(), [s for pair in rows for s in pair]))
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)
    assert scores.var(correction=0).item() == pytest.approx(1, abs=1e-3)


# --- rejection sampling ----------------------------------------------------------------------------------------------


def rounds(settings, tmp_path, scores: list[list[float]], select: str = "best"):
    """The updates of a run in which round n scores the one answer of prompt i with scores[n][i]."""
    from baro.recipes import rejection

    config = rejection.Config(
        **settings("rejection")
        | {"output_dir": tmp_path, "rounds": len(scores), "num_train_epochs": 1.0, "select": select}
    )

    def draw(number: int):
        return [(Sequence([number, i], [False, True]), score) for i, score in enumerate(scores[number])], {}

    return rejection.Rounds(config, draw, len(scores[0]))


@pytest.mark.invariant("I50")
def test_the_best_of_all_rounds_is_kept_and_the_control_keeps_the_last(settings, tmp_path):
    scores = [[1.0, 5.0, 3.0], [2.0, 4.0, 3.0], [0.0, 6.0, 9.0]]
    stream = rounds(settings, tmp_path, scores)
    assert [[score for _, score in stream.kept] for _ in stream] == [[1.0, 5.0, 3.0], [2.0, 5.0, 3.0], [2.0, 6.0, 9.0]]
    assert [row.tokens for row, _ in stream.kept] == [[1, 0], [2, 1], [2, 2]]
    control = rounds(settings, tmp_path, scores, select="random")
    assert [[score for _, score in control.kept] for _ in control] == scores


@pytest.mark.incident("T22")
def test_only_the_answer_is_learnt_of_a_sampled_sequence():
    answered = Answered(Prompt((Message("user", "a"),)), [5, 6, 7], Answer([8, 9], [-1.0, -1.0], True), "b")
    sequence = as_sequence(answered)
    assert (sequence.tokens, sequence.learn) == ([5, 6, 7, 8, 9], [False, False, False, True, True])


# --- PPO -------------------------------------------------------------------------------------------------------------


SCORES = [0.5, -1.0, 2.0, 0.0, 1.0, -0.5, 3.0, 0.25, -2.0, 1.5, 0.75, -0.25]


@pytest.fixture
def ppo_run(settings, world, model, other, reward, tmp_path):
    """settings → (config, models, memory): PPO before its first update, with given scores."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer, value_model
    from baro.recipes import ppo
    from baro.recipes.rollout import Actor, Models

    def build(**changes):
        values = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "temperature": 0.7, "kl_target": None}
        config = ppo.Config(**settings("ppo") | values | changes)
        place = {"dtype": "float32", "device": "cpu"}
        models = Models(
            language_model(model, **place).eval(),
            value_model(reward, **place).eval(),
            language_model(other, **place).eval(),
        )
        prompts = read_prompts([world / "prompts.jsonl"]).rows
        score = lambda rows: SCORES[: len(rows)]  # noqa: E731
        memory = ppo.Memory(config, Actor(config, models, load_tokenizer(model), prompts, score, micro=5))
        return config, models, memory

    return build


def per_answer(experience, name: str) -> list[torch.Tensor]:
    return list(getattr(experience, name).split([sequence.count for sequence in experience.sequences]))


@pytest.mark.invariant("I27", "I26", "I35")
@pytest.mark.incident("T37", "T32", "T12", "T35")
def test_an_answer_earns_its_score_less_beta_times_its_drift(ppo_run, model, other):
    config, _, memory = ppo_run(lam=1.0, whiten_advantages=False, kl_coef=0.3)
    experience = memory(0)
    returns, values = per_answer(experience, "returns"), per_answer(experience, "values")
    advantages = per_answer(experience, "advantages")
    drifts = []
    for row, sequence in enumerate(experience.sequences):
        drift = 0.0
        for path, sign in ((str(model), 1), (other, -1)):
            drift += sign * sum(plain_log_probs(path, sequence, config.temperature))
        drifts.append(drift)
        # with gamma = lam = 1 the return of the first token is everything the answer earned
        assert returns[row][0].item() == pytest.approx(SCORES[row] - 0.3 * drift, abs=2e-4)
        torch.testing.assert_close(advantages[row], returns[row] - values[row], atol=1e-5, rtol=0)
    assert max(map(abs, drifts)) > 0.1
    assert memory.figures["objective/kl"] == pytest.approx(sum(drifts) / len(drifts), abs=1e-4)


@pytest.mark.invariant("I23", "I24", "I40")
@pytest.mark.incident("T32", "T33", "T34", "T39")
def test_in_the_first_pass_nothing_has_moved_yet(ppo_run):
    from baro.recipes import ppo
    from baro.recipes.experience import Rollouts

    config, models, memory = ppo_run()
    updates = Rollouts(memory, rollouts=1, epochs=1, minibatches=3, max_sequences=2, seed=0)
    losses = [(batch, ppo.step(config, models, memory, batch)) for update in updates for batch in update]
    assert len(losses) == 12  # the policy's and the critic's loss of each micro-batch, one after the other
    for (batch, loss), (critic, worth) in zip(losses[::2], losses[1::2], strict=True):
        assert critic.count == 0
        assert torch.equal(batch.tokens, critic.tokens)
        assert loss.stats["policy/clipfrac_avg"].total == 0
        assert loss.stats["policy/approxkl_avg"].value == pytest.approx(0, abs=1e-9)
        assert loss.stats["val/ratio"].value == pytest.approx(1, abs=1e-5)
        error = (critic.extra["values"] - critic.extra["returns"]).square().sum().item() / 2
        assert worth.stats["loss/value_avg"].total == pytest.approx(error, rel=1e-4)
        assert worth.stats["loss/value_avg"].count == batch.count
        assert worth.total.item() == pytest.approx(config.vf_coef * error, rel=1e-4, abs=1e-4)
        policy = loss.stats["loss/policy_avg"].total
        assert policy == pytest.approx(-batch.extra["advantages"].sum().item(), abs=1e-3)
        assert loss.total.item() == pytest.approx(policy, rel=1e-4, abs=1e-4)
    assert sum(loss.stats["loss/policy_avg"].total for _, loss in losses[::2]) == pytest.approx(0, abs=1e-3)


@pytest.mark.invariant("I28")
def test_a_policy_that_is_its_reference_pays_nothing(ppo_run):
    config, models, memory = ppo_run(lam=1.0, kl_coef=5.0)
    memory.actor.models = type(models)(models.policy, models.value, models.policy)
    returns = per_answer(memory(0), "returns")
    assert [row[0].item() for row in returns] == pytest.approx(SCORES, abs=1e-5)
    assert memory.figures["objective/kl"] == pytest.approx(0, abs=1e-6)
    assert config.kl_coef == memory.kl_coef == 5.0


@pytest.mark.invariant("I36")
def test_an_answer_without_end_scores_the_penalty_and_nothing_else(ppo_run):
    _, _, memory = ppo_run(missing_eos_penalty=7.0)
    episodes = memory.actor.act(0)
    cut = [not episode.ended for episode in episodes]
    assert any(cut)
    expected = [-7.0 if missing else score for missing, score in zip(cut, SCORES, strict=True)]
    assert [episode.score for episode in episodes] == pytest.approx(expected)


@pytest.mark.invariant("I33")
@pytest.mark.incident("T37")
def test_the_price_adapts_to_the_drift_of_the_answers(ppo_run):
    _, _, memory = ppo_run(kl_coef=0.2, kl_target=1e-3, kl_horizon=100)
    memory(0)
    drift = memory.figures["objective/kl"]
    step = 0.2 if drift / 1e-3 - 1 > 0.2 else max(drift / 1e-3 - 1, -0.2)
    assert memory.kl_coef == pytest.approx(0.2 * (1 + step * 12 / 100))
    assert memory.figures["objective/kl_coef"] == 0.2  # what this rollout paid


@pytest.mark.slow
@pytest.mark.invariant("I39")
@pytest.mark.incident("T35")
def test_the_reference_stays_while_the_policy_moves(settings, model, tmp_path, monkeypatch):
    from baro.recipes import ppo

    made = []
    loader = ppo.language_model

    def remember(*args, **options):
        made.append(loader(*args, **options))
        return made[-1]

    monkeypatch.setattr(ppo, "language_model", remember)
    ppo.main(ppo.Config(**settings("ppo") | {"output_dir": tmp_path, "learning_rate": 1e-2}))
    policy, reference = (dict(each.named_parameters()) for each in made)
    start = dict(loader(model, dtype="float32", device="cpu").named_parameters())
    assert all(torch.equal(reference[name], start[name]) for name in start)
    assert any(not torch.equal(policy[name], start[name]) for name in start)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    drift = [line["objective/kl"] for line in lines if "objective/kl" in line]
    assert drift[0] == pytest.approx(0, abs=1e-5)
    assert abs(drift[-1]) > 1e-3
