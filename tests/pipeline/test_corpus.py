"""`baro data prepare` as a whole: what stays, what goes and why, the same everywhere, taken up where it stopped."""

import json
import textwrap

import pytest

from baro.core.errors import ConfigError, DataError
from baro.data.corpus import build
from baro.data.read import read_texts
from baro.engine.config import load
from baro.pipeline.corpus import Prepare, prepare

NAMES = ["Ann", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jo", "Kim", "Lee"]
SMALL = {"min_words": 10, "min_sentences": 1, "line_words": 3, "validation": 0.2}


def tale(n):
    other, thing = NAMES[(n * 7 + 3) % 12], ["lamp", "rope", "song", "map", "bell"][n % 5]
    return (
        f"On day {n} {NAMES[n % 12]} walked to the {thing} maker of village {n * 37 % 101} and asked for a {thing}. "
        f"That evening {other} told everybody about it, with {n + 2} reasons to be glad and {n * 3 + 1} to be careful."
    )


@pytest.fixture
def raw(tmp_path):
    """Three files: tales, and one each of what has to go."""
    folder = tmp_path / "raw"
    (folder / "deep").mkdir(parents=True)
    rows = [{"text": tale(n)} for n in range(30)]
    rows += [{"text": tale(3).upper()}, {"text": tale(4) + " Indeed so."}]  # an exact and a near duplicate
    rows += [
        {"text": "Der Hund und die Katze sind nicht in dem Haus, das der Mann mit dem Hut auf den Berg gebaut hat."}
    ]
    rows += [{"text": "buy now " * 40 + "."}, {"text": "   "}, {"text": 7}]
    rows += [{"text": tale(90) + " Write to ann@mail.org or call 010-1234-5678."}]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = f"<p>{tale(200)}</p><p>Nobody remembers who built the long wall against the sea, for it is old.</p>"
    (folder / "deep" / "b.html").write_text(f"<html><body><article>{page}</article></body></html>", encoding="utf-8")
    (folder / "c.txt").write_text(tale(300) + "\n\nHome | Login\n", encoding="utf-8")
    (folder / "d.txt").write_bytes(b"\xa1\xa2 no UTF-8")
    return folder


def run(raw, out, **given):
    return prepare(load(Prepare, dataset=[raw], out=out, **SMALL | given))


def texts(out, split):
    return [row.text for row in read_texts(out / split).rows]


def test_what_stays_and_what_goes(raw, tmp_path, capsys):
    found = run(raw, tmp_path / "out", languages=["en"])
    left_out = {reason: row["documents"] for reason, row in found["left_out"].items()}
    assert left_out.pop("exact duplicate") == 1
    assert left_out.pop("near duplicate") == 1
    assert left_out.pop("language: de") == 1
    assert left_out.pop("empty") == 1
    assert left_out.pop("unreadable") == 2  # a number where text should be, and the file that is not UTF-8
    assert left_out == {"language: und": 1}  # buy now
    assert found["documents"] == found["train"] + found["validation"] + 7
    assert found["masked"] == {"email": 1, "phone": 1}
    kept = texts(tmp_path / "out", "train") + texts(tmp_path / "out", "validation")
    assert len(kept) == found["train"] + found["validation"] == 33
    assert any("[email]" in text and "[phone]" in text for text in kept)
    assert not any("Login" in text or "ann@" in text for text in kept)
    assert "kept 33 of 40 documents" in capsys.readouterr().out


def test_of_wrapped_text_no_half_sentence_stays(tmp_path):
    """C4 means paragraphs by lines: in a README broken at 72 characters hardly a line ends a sentence."""
    sentences = " ".join(tale(n) for n in (11, 12, 13))
    raw = tmp_path / "README.txt"
    raw.write_text("Install\n\n" + "\n".join(textwrap.wrap(sentences, 72)) + "\n", encoding="utf-8")
    report = run(raw, tmp_path / "out", validation=0.0, rules=["c4"])
    assert texts(tmp_path / "out", "train") == [sentences]
    assert report["lines"] == 1


def test_nothing_personal_reaches_the_report(raw, tmp_path):
    run(raw, tmp_path / "out")
    for name in ("prepare.json", "prepare.html"):
        assert "ann@mail.org" not in (tmp_path / "out" / name).read_text(encoding="utf-8")


@pytest.mark.invariant("I69")
def test_the_same_files_give_the_same_bytes_however_many_workers(raw, tmp_path):
    run(raw, tmp_path / "one")
    for worker in (1, 2, 0):
        done = run(raw, tmp_path / "three", workers=3, worker=worker)
        assert bool(done) == (worker == 0)  # the last one writes the shards
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.gz")]
    assert files
    for file in files:
        written = (tmp_path / "one" / file).read_bytes()
        assert written == (tmp_path / "three" / file).read_bytes()
        assert written[4:8] == bytes(4), "RFC 1952: there the time would stand"


def test_finished_files_are_not_done_again_and_changed_ones_are(raw, tmp_path, monkeypatch):
    seen, through = [], build.through
    monkeypatch.setattr(build, "through", lambda raw, *rest: seen.append(raw.where) or through(raw, *rest))
    first = run(raw, tmp_path / "out")
    seen.clear()
    assert run(raw, tmp_path / "out") == first
    assert seen == []
    (raw / "c.txt").write_text(tale(301), encoding="utf-8")
    run(raw, tmp_path / "out")
    assert seen == ["c.txt:1"]
    seen.clear()
    run(raw, tmp_path / "out", min_words=11)
    assert len(seen) == first["documents"]


def test_a_run_that_was_stopped_goes_on(raw, tmp_path, monkeypatch):
    whole = run(raw, tmp_path / "whole")
    through = build.through

    def stop(raw, *rest):
        if raw.where.startswith("c.txt"):
            raise KeyboardInterrupt
        return through(raw, *rest)

    monkeypatch.setattr(build, "through", stop)
    with pytest.raises(KeyboardInterrupt):
        run(raw, tmp_path / "out")
    monkeypatch.setattr(build, "through", through)
    assert run(raw, tmp_path / "out") == whole


def test_a_document_is_held_out_by_its_own_text(raw, tmp_path):
    run(raw, tmp_path / "all")
    held = set(texts(tmp_path / "all", "validation"))
    (raw / "a.jsonl").write_text("".join(json.dumps({"text": tale(n)}) + "\n" for n in range(0, 30, 2)))
    run(raw, tmp_path / "half")
    assert set(texts(tmp_path / "half", "validation")) <= held
    assert not set(texts(tmp_path / "half", "train")) & held


def test_the_evaluation_is_not_in_it(raw, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_text(json.dumps({"prompt": [{"role": "user", "content": "Continue: " + tale(5)}]}) + "\n")
    found = run(raw, tmp_path / "out", evaluation=[asked])
    assert found["left_out"]["evaluation overlap"]["documents"] >= 1
    assert tale(5) not in texts(tmp_path / "out", "train") + texts(tmp_path / "out", "validation")


def test_learnt_value(raw, tmp_path):
    labels = tmp_path / "labels.jsonl"
    rows = [{"text": tale(500 + n), "label": 1} for n in range(40)]
    rows += [{"text": f"cheap pills offer {n} click click click here today for deals.", "label": 0} for n in range(40)]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (raw / "e.jsonl").write_text(json.dumps({"text": "cheap pills offer today, click here for the deals of the day."}))
    found = run(raw, tmp_path / "out", labels=[labels])
    assert found["left_out"]["educational value"]["documents"] >= 1
    assert found["learnt"]["auc"] > 0.95
    assert tale(0) in texts(tmp_path / "out", "train") + texts(tmp_path / "out", "validation")


def test_shards_are_of_the_size_asked_for_and_old_ones_go(raw, tmp_path):
    run(raw, tmp_path / "out", shard_size=5)
    shards = sorted((tmp_path / "out" / "train").iterdir())
    assert len(shards) > 3
    run(raw, tmp_path / "out", shard_size=1000)
    assert [file.name for file in (tmp_path / "out" / "train").iterdir()] == ["00000.jsonl.gz"]


def test_when_nothing_is_left_the_rule_is_named(raw, tmp_path):
    with pytest.raises(DataError, match="no document is left of 40; most were left out for “gopher: too few words”"):
        run(raw, tmp_path / "out", min_words=1000)


def test_a_worker_that_is_none_is_refused(raw, tmp_path):
    with pytest.raises(ConfigError, match="counted from 0"):
        run(raw, tmp_path / "out", workers=2, worker=2)
