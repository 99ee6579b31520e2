"""`baro data curate` on files: what is written, why, and what is refused before anything is read."""

import json

import pytest

from baro.core.errors import BaroError, ConfigError
from baro.engine.config import load
from baro.pipeline.curation.choose import Curate, curate

CPU = {"device": "cpu", "dtype": "float32"}


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def data(tmp_path):
    """Forty rows, every fourth of them with a fault, two kinds, a grade, and a column of the user's own."""
    file = tmp_path / "data.jsonl"
    made = [
        {
            "instruction": f"What is {n} plus 1?",
            "output": "N/A" if n % 4 == 0 else f"It is {n + 1}." + " Indeed." * (n % 3),
            "kind": "even" if n % 2 == 0 else "odd",
            "grade": n % 7,
            "note": ["kept", n],
        }
        for n in range(40)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return file, made


def run(data, tmp_path, **given):
    out = tmp_path / "out"
    return curate(load(Curate, dataset=[data[0]], out=out, **CPU | given)), out


def test_the_selection_holds_the_rows_as_they_were_and_why(data, tmp_path, capsys):
    summary, out = run(data, tmp_path, keep=12)
    kept = rows(out / "selection.jsonl")
    assert [row["curated"]["rank"] for row in kept] == list(range(1, 13))
    for row in kept:
        why = row.pop("curated")
        assert row in data[1]
        assert row["output"] != "N/A"
        assert "quality" in why["why"]
        assert why["quality"] == 1
    assert summary["kept"] == 12
    assert "kept 12 of 40" in capsys.readouterr().out


def test_controls_stand_beside_it_as_many(data, tmp_path):
    _, out = run(data, tmp_path, keep=12)
    assert len(rows(out / "random.jsonl")) == len(rows(out / "longest.jsonl")) == 12
    lengths = sorted((len(row["output"]) for row in data[1]), reverse=True)
    assert [len(row["output"]) for row in rows(out / "longest.jsonl")] == lengths[:12]
    assert rows(out / "all.jsonl") == data[1]
    told = rows(out / "scores.jsonl")
    assert [row["where"].rsplit(":", 1)[1] for row in told] == [str(n) for n in range(1, 41)]
    assert sum(row["kept"] for row in told) == 12
    assert told[0]["faults"] == {"placeholder": 1.0}


def test_conditions_and_no_limit(data, tmp_path):
    summary, out = run(data, tmp_path, keep=None, where=["quality>=0.5"])
    assert summary["kept"] == 30
    assert all(row["output"] != "N/A" for row in rows(out / "selection.jsonl"))


def test_a_column_of_the_rows_may_decide(data, tmp_path):
    _, out = run(data, tmp_path, keep=5, by=["grade"])
    assert {row["grade"] for row in rows(out / "selection.jsonl")} == {6}


def test_quotas_by_kind(data, tmp_path):
    _, out = run(data, tmp_path, keep=10, quota_by="kind", quotas="equal")
    assert [row["kind"] for row in rows(out / "selection.jsonl")].count("even") == 5


def test_labels_teach_a_classifier(data, tmp_path):
    labels = tmp_path / "labels.jsonl"
    made = [row | {"label": "bad" if row["output"] == "N/A" else "good"} for row in data[1]]
    labels.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    summary, out = run(data, tmp_path, keep=30, by=["learnt"], labels=[labels])
    assert summary["learnt"]["auc"] > 0.9
    assert all(row["output"] != "N/A" for row in rows(out / "selection.jsonl"))


def test_the_page_is_whole_and_shows_nothing_unescaped(data, tmp_path):
    with data[0].open("a", encoding="utf-8") as file:
        file.write(json.dumps({"instruction": "<script>alert(1)</script>", "output": "<b>bold</b>"}) + "\n")
    _, out = run(data, tmp_path, keep=41)
    page = (out / "curation.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert page.count("<svg") >= 3
    assert "http://" not in page
    assert "https://" not in page
    assert "고른 행" in page


def test_the_same_call_gives_the_same_files(data, tmp_path):
    _, out = run(data, tmp_path, keep=12, select="diverse")
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    run(data, tmp_path, keep=12, select="diverse")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == first


@pytest.mark.slow
def test_scores_of_models(whole, tmp_path):
    world = whole[1] / "world" / "tasks.jsonl"
    labels = tmp_path / "labels.jsonl"
    made = [row | {"label": place % 2} for place, row in enumerate(rows(world))]
    labels.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    out = tmp_path / "out"
    given = {"model": str(whole[1] / "sft"), "reward_model": str(whole[1] / "reward"), "labels": [labels]}
    curate(
        load(
            Curate,
            dataset=[world],
            out=out,
            keep=6,
            by=["perplexity", "reward", "learnt"],
            features="embeddings",
            select="diverse",
            **given | CPU,
        )
    )
    kept = rows(out / "selection.jsonl")
    assert len(kept) == 6
    assert all(row["curated"][name] is not None for row in kept for name in ("ifd", "ifd_ppl", "reward", "learnt"))
    assert "hidden states" in json.loads((out / "curation.json").read_text())["embeddings"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": ["ifd"]}, "ifd needs model="),
        ({"where": ["perplexity<9"]}, "perplexity needs model="),
        ({"by": ["reward"]}, "reward needs reward_model="),
        ({"by": ["learnt"]}, "learnt needs labels="),
        ({"where": ["quality=1"]}, "expected score>=number"),
        ({"by": []}, "by names no score"),
        ({"features": "embeddings"}, "features=embeddings needs model="),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(data, tmp_path, given, message):
    with pytest.raises(ConfigError, match=message):
        run(data, tmp_path, **given)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": ["beauty"]}, "beauty.*no column of the rows"),
        ({"by": ["kind"]}, "the row has 'even' there; expected a number"),
        ({"quota_by": "flavour"}, "flavour.*no column"),
        ({"where": ["quality>2"]}, "no row meets quality>2"),
        ({"where": ["beauty>2"]}, "where names 'beauty'"),
    ],
)
def test_what_the_rows_lack_is_one_error(data, tmp_path, given, message):
    with pytest.raises(BaroError, match=message):
        run(data, tmp_path, **given)
