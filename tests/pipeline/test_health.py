"""The health card of a real, tiny reward model: from the command to the page."""

import json

import pytest

from baro.core.errors import BaroError, DataError
from baro.pipeline import health
from baro.pipeline.report import health as report
from baro.pipeline.report.health_words import CARD, FINDINGS, HEADLINES

COLOURS = ["red", "blue", "green", "black", "white", "pink", "gold", "grey"]


def pairs(first, count):
    """Polite answers are preferred."""
    rows = []
    for number in range(first, first + count):
        colour = COLOURS[number % 8]
        prompt = [{"role": "user", "content": f"Colour of thing {number}?"}]
        sides = (f"{colour}, friend.", f"{colour}.")
        chosen, rejected = ([{"role": "assistant", "content": text}] for text in sides)
        rows.append({"prompt": prompt, "chosen": chosen, "rejected": rejected, "source": "ab"[number % 2]})
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A reward model of `baro reward` in a folder with its data."""
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.load import save
    from baro.recipes import reward

    folder = tmp_path_factory.mktemp("health")
    rows = pairs(0, 160)
    texts = [f"{r['prompt'][0]['content']} {r['chosen'][0]['content']}" for r in rows]
    tokenizer = train_bpe(texts, 300)
    save(create.language_model(20_000, tokenizer, max_length=64, seed=1), tokenizer, folder / "base")
    for name, some in (("train", rows), ("heldout", pairs(1000, 60) + rows[:4])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    config = reward.Config(
        model_name_or_path=str(folder / "base"),
        dataset=[folder / "train.jsonl"],
        output_dir=str(folder / "reward"),
        learning_rate=3e-3,
        num_train_epochs=4,
        max_length=64,
        device="cpu",
        dtype="float32",
    )
    reward.main(config)
    return folder


@pytest.fixture(scope="module")
def card(trained):
    config = health.Health(model=str(trained / "reward"), data=[trained / "heldout.jsonl"], device="cpu")
    return health.evaluate(config)


def test_pairs_of_trained_prompts_are_left_out(card):
    assert (card["pairs"], card["left_out"], card["trained_on"]) == (60, 4, 160)


def test_it_learnt_and_the_curve_ends_with_the_model_itself(card):
    assert card["accuracy"]["mean"] > 0.9
    points = card["curve"]["points"]
    assert [point["pairs"] for point in points] == [20, 40, 80, 160]
    assert points[-1]["mean"] == card["accuracy"]["mean"]
    gain = card["curve"]["last_doubling"]["mean"]
    assert gain == pytest.approx(points[-1]["mean"] - points[-2]["mean"])


def test_the_card_is_json_and_is_the_same_every_time(card, trained):
    config = health.Health(model=str(trained / "reward"), data=[trained / "heldout.jsonl"], device="cpu")
    assert json.dumps(health.evaluate(config)) == json.dumps(card, allow_nan=False)


def test_the_page_is_whole_in_both_languages(card):
    page = report.page(card)
    assert page == report.page(card)
    for words in (*HEADLINES.values(), *FINDINGS.values(), *CARD.values()):
        assert set(words) == {"en", "ko"}
        assert all(words.values())
    assert "건강 카드" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert page.count("<section") == page.count("</section>") == 7


def test_all_prompts_trained_on_is_an_error(trained):
    with pytest.raises(DataError, match="all 160 pairs have prompts that the model was trained on"):
        health.evaluate(health.Health(model=str(trained / "reward"), data=[trained / "train.jsonl"]))


def test_a_language_model_is_refused(trained):
    with pytest.raises(BaroError, match="no reward model"):
        health.evaluate(health.Health(model=str(trained / "base"), data=[trained / "heldout.jsonl"]))


def test_a_run_keeps_the_card_until_the_model_changes(trained, tmp_path, monkeypatch):
    from baro.recipes import reward

    kept = json.loads((trained / "reward" / "run.json").read_text())["settings"]
    config = reward.Config(**kept | {"eval_dataset": [str(trained / "heldout.jsonl")]})
    first = health.of_run({"reward": config}, {"reward": "k1"}, tmp_path)
    assert (tmp_path / "reward.html").is_file()
    assert first["reward"]["curve"] is None
    calls = []
    monkeypatch.setattr(health, "evaluate", lambda config: calls.append(config) or dict(first["reward"]))
    health.of_run({"reward": config}, {"reward": "k1"}, tmp_path)
    assert not calls
    health.of_run({"reward": config}, {"reward": "k2"}, tmp_path)
    assert len(calls) == 1
