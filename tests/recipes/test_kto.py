"""KTO: single answers with a label, their reference point, and what the update makes of them."""

import json

import pytest
import torch

from baro.core.errors import ConfigError, DataError


@pytest.fixture
def labelled(rows, world):
    """(desirable of every five) → a file of single answers, friendly ones desirable."""

    def build(good: int = 3) -> str:
        found = []
        for number, line in enumerate((world / "preferences.jsonl").read_text().splitlines()[:40]):
            row, label = json.loads(line), number % 5 < good
            answer = row["chosen"] if label else row["rejected"]
            found.append({"prompt": row["prompt"], "completion": answer, "label": label})
        return rows("labelled", found)

    return build


@pytest.fixture
def before(settings, model, labelled, tmp_path):
    """settings → (config, model, rows, builder) before the first update, in float64."""
    from baro.data.read import read_judgements
    from baro.models.load import language_model, load_tokenizer
    from baro.recipes import kto

    class Quiet:
        def say(self, text: str) -> None: ...

    def build(**changes):
        given = {"output_dir": tmp_path, "device": "cpu", "dtype": "float64", "dataset": [labelled()]}
        config = kto.Config(**settings("kto") | given | changes)
        rows = kto.rendered(config, load_tokenizer(model), read_judgements(config.dataset).rows, Quiet())
        policy = language_model(config.model_name_or_path, dtype="float64", device="cpu").eval()
        return config, policy, rows, kto.Builder(config, policy)

    return build


@pytest.mark.invariant("I52", "I59")
def test_where_policy_and_reference_agree_each_answer_costs_half(before):
    from baro.recipes import kto

    config, policy, rows, build = before()
    losses = [kto.step(policy, batch, config) for batch in build(rows)]
    assert sum(loss.total.item() for loss in losses) / len(rows) == pytest.approx(0.5, abs=1e-6)
    assert sum(loss.stats["kl"].total for loss in losses) == pytest.approx(0, abs=1e-5)


@pytest.mark.invariant("I53")
@pytest.mark.incident("T2", "T42", "T12")
def test_the_gradient_by_plain_transformers(before, move, model, plain, plain_log_probs):
    from baro.recipes import kto

    moved = move(model, scale=0.1)
    config, policy, rows, build = before(model_name_or_path=moved, ref_model=str(model), undesirable_weight=1.5)
    rows = rows[:10]
    for batch in build(rows):
        (kto.step(policy, batch, config).total / 10).backward()
    theirs, anchor = plain(moved), plain(model)

    def ratio(sequence) -> torch.Tensor:
        return plain_log_probs(theirs, sequence).sum() - plain_log_probs(anchor, sequence).sum().detach()

    point = max(0.0, sum(ratio(row.mismatched).item() for row in rows) / 10)
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        gain = 0.1 * (ratio(row.own) - point)
        total = total + ((1 - gain.sigmoid()) if row.desirable else 1.5 * (1 - (-gain).sigmoid()))
    (total / 10).backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-7)


@pytest.mark.invariant("I59", "I4")
def test_the_reference_point_is_of_the_whole_update_however_it_is_cut(before, move, model):
    moved = move(model, scale=0.1)
    points = []
    for size in (2, 5, 40):
        changes = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 40 // size}
        *_, rows, build = before(model_name_or_path=moved, ref_model=str(model), **changes)
        batches = build(rows)
        assert len(batches) == 40 // size
        points += [batch.extra["point"].item() for batch in batches]
    assert max(points) - min(points) < 1e-5
    assert min(points) >= 0
    assert not batches[0].extra["point"].requires_grad


@pytest.mark.invariant("I59")
def test_a_mismatched_answer_is_another_rows_behind_this_rows_prompt(before):
    *_, rows, _ = before()
    for row in rows:
        start = row.own.learn.index(True)
        assert row.mismatched.tokens[:start] == row.own.tokens[:start]
        assert row.mismatched.learn.index(True) == start
    assert sum(row.mismatched.tokens != row.own.tokens for row in rows) > 30


def test_it_learns_to_tell_good_from_bad(train, labelled):
    run = train("kto", dataset=[labelled()], eval_dataset=[labelled()], num_train_epochs=12.0)
    last = run.steps[-1]
    assert last["rewards/chosen"] > last["rewards/rejected"]
    assert last["loss"] < 0.49 < run.steps[0]["loss"]
    assert run.result["metrics"]["accuracy"] > 0.8
    assert run.steps[-1]["count"] == 40 * 12


def test_pairs_are_two_answers_and_the_balance_is_spoken_of(train, world, labelled):
    run = train("kto", max_steps=1)
    assert "each pair as two answers → 96 judgements" in run.said[0]
    assert not any("weigh" in line for line in run.said)
    run = train("kto", "few", dataset=[labelled(good=1)], max_steps=1)
    assert any("weigh 0.25 to 1" in line and "desirable_weight=5 " in line for line in run.said)


@pytest.mark.invariant("I59")
def test_an_update_of_one_answer_is_refused(settings, tmp_path):
    from baro.engine.config import load
    from baro.recipes import kto

    changes = {"output_dir": tmp_path, "per_device_train_batch_size": 1}
    with pytest.raises(ConfigError, match="at least two answers"):
        load(kto.Config, None, (), **settings("kto") | changes)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "a", "completion": "b"}, "expected `label`"),
        ({"prompt": "a", "completion": "b", "label": "good"}, "label is 'good'; expected true or false"),
        ({"messages": [{"role": "user", "content": "a"}], "label": True}, "no turn of the assistant"),
    ],
)
def test_rows_that_cannot_be_used(rows, row, says):
    from baro.data.read import read_judgements

    with pytest.raises(DataError, match=says):
        read_judgements([rows("bad", [row])])


def test_every_form_of_a_label(rows):
    from baro.data.read import read_judgements

    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    forms = [
        {"prompt": "a", "completion": "b", "label": True},
        {"prompt": [turns[0]], "completion": [turns[1]], "label": 0},
        {"messages": turns, "label": "true"},
        {"instruction": "a", "input": "", "output": "b", "kto_tag": False},
    ]
    found = read_judgements([rows("forms", forms)]).rows
    assert [row.label for row in found] == [True, False, True, False]
    assert [row.plain for row in found] == [True, False, False, False]
    assert {(row.prompt[-1].content, row.completion[-1].content) for row in found} == {("a", "b")}


def test_the_watch_hears_of_the_good_answers_alone(before):
    """A policy that is not its reference: the mean log-ratio per token of desirable answers, by hand."""
    from baro.models.forward import sequence_log_probs
    from baro.recipes import kto

    config, policy, rows, build = before()
    with torch.no_grad():
        policy.get_output_embeddings().weight.mul_(1.5)
    batches = build(rows)
    wanted = []
    for batch in batches:
        ratios = (sequence_log_probs(policy, batch) - batch.extra["reference"]) / batch.learnt_per_sequence()
        wanted += [float(r) for r, good in zip(ratios, batch.extra["desirable"], strict=True) if good]
    told = [kto.step(policy, batch, config).stats["watch/chosen_per_token"] for batch in batches]
    assert sum(mean.count for mean in told) == len(wanted) < len(rows)
    assert sum(mean.total for mean in told) / len(wanted) == pytest.approx(sum(wanted) / len(wanted))
