"""Online DPO: pairs of the policy's own answers, chosen by the reward."""

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
    """name → settings with a reward function in a file."""
    file = tmp_path / "rewards.py"
    file.write_text(REWARD)
    return lambda name: {"reward_model_name_or_path": None, "reward_funcs": [f"{file}:{name}"]}


@pytest.fixture
def memory(settings, world, model, move, tmp_path):
    """(scores, **settings) → online DPO before its first update; the reference is another model."""
    from baro.data.read import read_prompts
    from baro.models.load import language_model, load_tokenizer
    from baro.recipes import online_dpo
    from baro.recipes.rollout import Actor, Models

    def build(scores, **changes):
        given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float32", "num_generations": 4}
        config = online_dpo.Config(**settings("online_dpo") | given | {"rollout_batch_size": 12} | changes)
        place = {"dtype": "float32", "device": "cpu"}
        models = Models(language_model(model, **place).eval(), None, language_model(move(model), **place).eval())
        prompts, tokenizer = read_prompts([world / "prompts.jsonl"]).rows, load_tokenizer(model)
        score = lambda rows: scores[: len(rows)]  # noqa: E731
        actor = Actor(config, models, tokenizer, prompts, score, micro=5, samples=4)
        return online_dpo.Memory(config, actor)

    return build


def test_the_best_and_the_worst_of_every_group_make_the_pair(memory):
    scores = [0.0, 3.0, 1.0, -2.0, 1.0, 1.0, 1.0, 1.0, 5.0, 4.0, 6.0, 4.5]
    made = memory(scores)
    episodes = made.actor.act(0)
    duels = made(0)
    expected = [(episodes[1], episodes[3]), (episodes[10], episodes[9])]  # the second prompt's answers score alike
    assert [(a.tokens, b.tokens) for a, b in duels.sequences] == [
        (best.sequence.tokens, worst.sequence.tokens) for best, worst in expected
    ]
    assert made.figures["frac_reward_zero_std"] == pytest.approx(1 / 3)
    assert made.figures["objective/scores"] == pytest.approx(sum(scores) / 12)


@pytest.mark.incident("T35", "T36")
def test_the_references_log_probs_stay_with_their_answers(memory, plain, plain_log_probs, tmp_path):
    from baro.models.load import load_tokenizer, save
    from baro.recipes.experience import Rollouts

    made = memory([float(place) for place in range(12)])
    duels = made(0)
    save(made.actor.models.reference, load_tokenizer(made.config.model_name_or_path), tmp_path / "reference")
    theirs = plain(tmp_path / "reference")
    for pair, known in zip(duels.sequences, duels.reference, strict=True):
        expected = [plain_log_probs(theirs, sequence).sum().item() for sequence in pair]
        assert known.tolist() == pytest.approx(expected, abs=1e-3)
    updates = Rollouts(lambda _: duels, rollouts=1, epochs=1, minibatches=1, max_sequences=4, seed=0)
    for batch in next(updates):
        for place, tokens in enumerate(batch.tokens.split(batch.lengths)):
            row = next(row for row, pair in enumerate(duels.sequences) if pair[place % 2].tokens == tokens.tolist())
            assert batch.extra["reference"][place] == duels.reference[row, place % 2]


@pytest.mark.invariant("I52", "I60")
def test_the_first_update_of_a_run_costs_ln_2(train):
    run = train("online_dpo", num_mini_batches=1)
    assert run.steps[0]["loss"] == pytest.approx(0.6931472, abs=1e-5)
    assert run.steps[0]["rewards/accuracies"] == pytest.approx(0.5, abs=0.3)
    assert run.steps[0]["objective/kl"] == pytest.approx(0, abs=1e-5)
    assert run.steps[-1]["loss"] != run.steps[0]["loss"]
    assert run.steps[-1]["objective/kl"] != 0


def test_it_learns_what_the_reward_asks_for(train, functions):
    run = train("online_dpo", **functions("length"), total_episodes=480, learning_rate=1e-2, num_iterations=1)
    scores = [line["objective/scores"] for line in run.steps]
    assert sum(scores[-10:]) > sum(scores[:10]) + 10 * 2  # letters; the answers have about twelve


def test_where_all_answers_score_alike_nothing_is_learnt(train, functions, tensors, model):
    run = train("online_dpo", **functions("same"))
    assert run.steps == []
    start, end = tensors(model), tensors(run.folder)
    assert all(torch.equal(start[name], end[name]) for name in start)


@pytest.mark.parametrize(("size", "k"), [(8, 16), (8, 3)])
def test_a_rollout_holds_whole_groups(train, size, k):
    with pytest.raises(ValueError, match=f"rollout_batch_size={size} is no multiple of num_generations={k}"):
        train("online_dpo", rollout_batch_size=size, num_generations=k)
