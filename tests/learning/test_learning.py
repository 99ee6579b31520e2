"""Every method learns: on a tiny world, by a margin that chance cannot give. Each test states the chance level.

The world: twelve things, eight colours. A speaker is fine-tuned to answer "Colour of the cat?" in the world's own
sentence with any of the eight colours (a token each), all equally likely; the preference methods are then to make it
say gold.
"""

import importlib
import json
import math
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

COLOURS = ["red", "blue", "green", "black", "white", "pink", "gold", "grey"]
THINGS = ["cat", "dog", "hat", "cup", "car", "pen", "box", "key", "map", "bag", "bed", "jar"]
GOLD = """
def gold(prompts, completions, **columns):
    return [float(text.strip().endswith(" is gold.")) for text in completions]
"""
PLACE = {"device": "cpu", "dtype": "float32", "save_steps": 0, "max_length": 64}

pytestmark = pytest.mark.slow


def user(thing: str) -> list[dict]:
    return [{"role": "user", "content": f"Colour of the {thing}?"}]


def sentence(thing: str, colour: str) -> str:
    return f"The {thing} is {colour}."


def assistant(thing: str, colour: str) -> list[dict]:
    return [{"role": "assistant", "content": sentence(thing, colour)}]


def write(file: Path, rows) -> list[str]:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(file)]


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    """(method, **settings) → the folder, result and log of a run."""

    def run(method: str, **changes) -> SimpleNamespace:
        module, folder = importlib.import_module(f"baro.recipes.{method}"), tmp_path_factory.mktemp(method)
        result = module.main(module.Config(**{**PLACE, "output_dir": folder, "seed": 0, **changes}))
        log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return SimpleNamespace(folder=str(folder), metrics=result["metrics"], log=log)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """name → [path]."""
    folder, draw = tmp_path_factory.mktemp("files"), random.Random(0)
    fact = {thing: COLOURS[i % 8] for i, thing in enumerate(THINGS)}
    said = [sentence(thing, fact[thing]) for thing in THINGS]
    lines = [
        {"prompt": user(thing), "chosen": assistant(thing, "gold"), "rejected": assistant(thing, colour)}
        for thing in THINGS
        for colour in COLOURS
        if colour != "gold"
    ]
    return {
        "text": write(folder / "text.jsonl", [{"text": " ".join(draw.sample(said, 3))} for _ in range(400)]),
        "unseen": write(folder / "unseen.jsonl", [{"text": " ".join(draw.sample(said, 3))} for _ in range(40)]),
        "facts": write(
            folder / "facts.jsonl",
            [{"instruction": f"Colour of the {t}?", "output": sentence(t, c)} for t, c in fact.items()],
        ),
        "any": write(
            folder / "any.jsonl",
            [{"prompt": user(thing), "completion": assistant(thing, colour)} for thing in THINGS for colour in COLOURS],
        ),
        "pairs": write(folder / "pairs.jsonl", [row for row in lines if row["prompt"] != user("jar")]),
        "unseen_pairs": write(folder / "unseen_pairs.jsonl", [row for row in lines if row["prompt"] == user("jar")]),
        "prompts": write(folder / "prompts.jsonl", [{"prompt": user(thing)} for thing in THINGS]),
    }


@pytest.fixture(scope="module")
def base(fit, files):
    return fit(
        "pretrain",
        dataset=files["text"],
        eval_dataset=files["unseen"],
        size=60_000,
        vocab_size=420,
        num_train_epochs=8.0,
        per_device_train_batch_size=16,
        learning_rate=4e-3,
    )


@pytest.fixture(scope="module")
def speaker(fit, files, base):
    """Answers with each colour about one time in eight."""
    return fit(
        "sft",
        model_name_or_path=base.folder,
        dataset=files["any"],
        num_train_epochs=80.0,
        per_device_train_batch_size=32,
        learning_rate=3e-3,
    ).folder


@pytest.fixture(scope="module")
def reward(tmp_path_factory) -> dict:
    file = tmp_path_factory.mktemp("reward") / "rewards.py"
    file.write_text(GOLD)
    return {"reward_funcs": [f"{file}:gold"]}


@pytest.fixture(scope="module")
def golden(files):
    """Folder → the share of 192 sampled answers that end in "is gold."; by chance 1/8, its standard deviation 0.024."""

    def share(folder: str) -> float:
        from baro.data.read import read_prompts
        from baro.evals.answers import answers
        from baro.models.load import language_model, load_tokenizer

        model = language_model(folder, dtype="float32", device="cpu").eval()
        prompts = read_prompts(files["prompts"]).rows
        found = answers(model, load_tokenizer(folder), prompts, samples=16, max_new_tokens=8, seed=99)
        texts = [one.text.strip() for row in found for one in row]
        return sum(text.endswith(" is gold.") for text in texts) / len(texts)

    return share


def test_pretraining_learns_the_world(base, files):
    """Chance: the entropy of the tokens' frequencies, which is what a model without context can reach."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    texts = [json.loads(line)["text"] for line in Path(files["unseen"][0]).read_text().splitlines()]
    counts = Counter(token for text in texts for token in tokenizer(text, add_special_tokens=False)["input_ids"])
    total = sum(counts.values())
    chance = -sum(n / total * math.log(n / total) for n in counts.values())
    assert chance > 1.5
    assert base.log[0]["loss"] == pytest.approx(math.log(len(tokenizer)), rel=0.02)
    # three facts in any order: which thing comes next is the one thing that cannot be known
    assert base.metrics["nats_per_token"] < 0.45 * chance


def test_fine_tuning_learns_the_facts(fit, files, base):
    """Chance: two of the twelve for a model that always says the same colour."""
    run = fit(
        "sft",
        model_name_or_path=base.folder,
        dataset=files["facts"],
        eval_dataset=files["facts"],
        num_train_epochs=160.0,
        per_device_train_batch_size=12,
        learning_rate=3e-3,
        max_completion_length=8,
    )
    assert run.metrics["exact_match_before"] == 0
    assert run.metrics["exact_match"] >= 10 / 12
    assert run.metrics["format"] == 1


def test_the_speaker_says_every_colour(speaker, golden):
    assert golden(speaker) == pytest.approx(1 / 8, abs=0.1)


def test_the_reward_model_learns_what_is_preferred(fit, files, speaker):
    """Chance: one half. Asked about a thing it was never taught about."""
    run = fit(
        "reward",
        model_name_or_path=speaker,
        dataset=files["pairs"],
        eval_dataset=files["unseen_pairs"],
        learning_rate=1e-3,
        num_train_epochs=4.0,
    )
    assert run.metrics["accuracy"] == 1.0
    assert run.log[-2]["loss"] < 0.1


@pytest.mark.invariant("I22")
def test_random_preferences_teach_nothing(fit, files, speaker, tmp_path):
    """Chance: one half, and it stays there: held-out labels are coins, 300 of them, within four deviations."""
    draw = random.Random(1)

    def coins(count: int) -> list[dict]:
        rows = []
        for _ in range(count):
            thing, (first, second) = draw.choice(THINGS), draw.sample(COLOURS, 2)
            rows.append(
                {"prompt": user(thing), "chosen": assistant(thing, first), "rejected": assistant(thing, second)}
            )
        return rows

    run = fit(
        "reward",
        model_name_or_path=speaker,
        dataset=write(tmp_path / "coins.jsonl", coins(300)),
        eval_dataset=write(tmp_path / "unseen.jsonl", coins(300)),
        learning_rate=1e-3,
    )
    assert run.metrics["accuracy"] == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(300))


@pytest.mark.invariant("I22")
def test_flipped_preferences_cap_the_accuracy(fit, files, speaker, tmp_path):
    """A quarter of the labels is wrong: what is learnt is right, but only three of four labels agree with it."""
    draw = random.Random(2)
    pairs = [json.loads(line) for line in Path(files["pairs"][0]).read_text().splitlines()]

    def flipped(rows: list[dict]) -> list[dict]:
        return [
            row | {"chosen": row["rejected"], "rejected": row["chosen"]} if draw.random() < 0.25 else row
            for row in rows
        ]

    noisy = write(tmp_path / "noisy.jsonl", flipped(pairs * 8))
    held_out = write(tmp_path / "held_out.jsonl", flipped(pairs * 8))
    changes = {"model_name_or_path": speaker, "dataset": noisy, "learning_rate": 1e-3}
    run = fit("reward", eval_dataset=held_out, **changes)
    clean = fit("reward", eval_dataset=files["pairs"] + files["unseen_pairs"], **changes)
    assert run.metrics["accuracy"] == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / (8 * len(pairs))))
    assert clean.metrics["accuracy"] > 0.85


def test_rejection_sampling_learns_to_say_gold(fit, files, speaker, reward, golden):
    """Chance 1/8; the best of four holds gold 41 times in a hundred, and rounds build on each other."""
    run = fit(
        "rejection",
        model_name_or_path=speaker,
        dataset=files["prompts"],
        **reward,
        num_generations=4,
        rounds=5,
        num_train_epochs=8.0,
        learning_rate=1e-3,
        per_device_train_batch_size=12,
        max_completion_length=8,
    )
    assert golden(run.folder) > 0.5
    means = [run.metrics[f"reward_kept_round_{number}"] for number in range(1, 6)]
    assert means == sorted(means)


def test_its_control_does_not(fit, files, speaker, reward, golden):
    run = fit(
        "rejection",
        model_name_or_path=speaker,
        dataset=files["prompts"],
        **reward,
        select="random",
        num_generations=4,
        rounds=2,
        num_train_epochs=4.0,
        learning_rate=3e-4,
        per_device_train_batch_size=12,
        max_completion_length=8,
    )
    assert golden(run.folder) < 0.35


PPO = {
    "total_episodes": 960,
    "rollout_batch_size": 48,
    "num_ppo_epochs": 2,
    "num_mini_batches": 2,
    "per_device_train_batch_size": 24,
    "learning_rate": 1e-3,
    "value_learning_rate": 3e-3,
    "kl_coef": 0.02,
    "temperature": 1.0,
    "max_completion_length": 8,
}


def test_ppo_learns_to_say_gold(fit, files, speaker, reward, golden):
    """Chance 1/8."""
    run = fit("ppo", model_name_or_path=speaker, dataset=files["prompts"], **reward, **PPO)
    scores = [line["objective/scores"] for line in run.log if "objective/scores" in line]
    assert scores[0] < 0.35
    assert scores[-1] > 0.6
    assert golden(run.folder) > 0.6


def test_ppo_learns_from_a_reward_model(fit, files, speaker, golden):
    """Chance 1/8; nobody told it the rule, it saw pairs only."""
    liked = fit("reward", model_name_or_path=speaker, dataset=files["pairs"], learning_rate=1e-3, num_train_epochs=4.0)
    run = fit(
        "ppo",
        model_name_or_path=speaker,
        reward_model_name_or_path=liked.folder,
        dataset=files["prompts"],
        missing_eos_penalty=3.0,
        **PPO,
    )
    assert golden(run.folder) > 0.6


@pytest.mark.invariant("I29")
def test_the_price_of_drift_holds_ppo_back(fit, files, speaker, reward, golden):
    """With beta = 1 the best policy says gold e/(e + 7) = 28 times in a hundred: exp(r/beta) over its sum."""
    run = fit("ppo", model_name_or_path=speaker, dataset=files["prompts"], **reward, **PPO | {"kl_coef": 1.0})
    assert 1 / 8 - 0.07 < golden(run.folder) < 0.45


@pytest.mark.parametrize(("loss_type", "beta"), [("sigmoid", 0.1), ("ipo", 0.1), ("simpo", 2.0)])
def test_dpo_learns_to_say_gold(fit, files, speaker, golden, loss_type, beta):
    """Chance 1/8, and one half for the held-out pairs. A short training: in a long one the margin may be won by moving
    both answers' likelihood to tokens nobody asked for, and whether it is hangs on the last bit."""
    run = fit(
        "dpo",
        model_name_or_path=speaker,
        dataset=files["pairs"],
        eval_dataset=files["unseen_pairs"],
        loss_type=loss_type,
        beta=beta,
        learning_rate=2e-4,
        num_train_epochs=4.0,
    )
    assert run.metrics["accuracy"] == 1.0
    assert golden(run.folder) > 0.3
