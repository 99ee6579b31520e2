"""What the command refuses before it starts, and what it says."""

import json
import sys

import pytest

from baro.core.errors import ConfigError
from baro.data.choices.store import Store
from baro.web.annotate.launch import Options, check, command


def refused(tmp_path, **options) -> str:
    with pytest.raises(ConfigError) as error:
        check(Options(db=str(tmp_path / "none.db"), **options))
    return str(error.value)


def test_nothing_to_compare_tells_how_to_begin(tmp_path):
    assert "baro annotate world/preferences.jsonl" in refused(tmp_path)


def test_all_problems_are_told_at_once(tmp_path):
    said = refused(tmp_path, model=("a", "b", "c"), order="active", overlap=2.0, annotators=("owner",))
    for part in ("5 problems", "3 models", "--prompts are given together", "--reward-model", "no share", "owner"):
        assert part in said


def test_greedy_samples_of_one_model_are_refused(tmp_path):
    (tmp_path / "p.jsonl").write_text("{}")
    said = refused(tmp_path, model=("a",), prompts=(tmp_path / "p.jsonl",), temperature=0.0)
    assert "answers twice the same" in said


def test_the_command_that_trains_is_ready_to_be_copied():
    said = command(Options(db="my choices.db", model=("runs/my sft",)))
    assert said == ("baro reward 'dataset=my choices.db' 'model_name_or_path=runs/my sft' output_dir=runs/reward")
    far = command(Options(db="postgresql://me:secret@host/x", model=("m",)))
    assert "secret" not in far
    assert far.startswith("baro annotate export --db URL --out choices.jsonl && baro reward")


@pytest.fixture
def cli(monkeypatch, capsys):
    def run(*words):
        from baro.cli import main

        monkeypatch.setattr(sys, "argv", ["baro", *words])
        code = 0
        try:
            main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_export_and_import(cli, tmp_path, pair):
    store = Store(tmp_path / "a.db")
    store.record(pair(1), "kim", "a", "c1")
    store.record(pair(2), "kim", "tie", "c2")
    store.close()
    out = tmp_path / "new" / "out.jsonl"
    assert cli("annotate", "export", "--db", str(tmp_path / "a.db"), "--out", str(out))[0] == 0
    assert len(out.read_text().splitlines()) == 1
    cli("annotate", "export", "--db", str(tmp_path / "a.db"), "--out", str(out), "--ties", "keep")
    assert [json.loads(line)["choice"] for line in out.read_text().splitlines()] == ["chosen", "tie", "tie"]
    code, said, _ = cli("annotate", "import", str(out), "--db", str(tmp_path / "b.db"))
    assert code == 0
    assert "2 choices taken over, 1 were there already" in said


def test_mistakes_are_one_message(cli, tmp_path):
    code, _, said = cli("annotate", "export", "--db", str(tmp_path / "no.db"), "--out", str(tmp_path / "x"))
    assert code == 2
    assert "no such file" in said
    assert not (tmp_path / "no.db").exists()
    code, _, said = cli("annotate", "missing.jsonl", "--db", str(tmp_path / "no.db"))
    assert code == 2
    assert "missing.jsonl: no such file" in said
    code, _, said = cli("annotate", "--host", "0.0.0.0", "--db", str(tmp_path / "no.db"), str(tmp_path / "x.jsonl"))
    assert code == 2
