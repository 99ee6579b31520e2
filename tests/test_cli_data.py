"""baro data check and convert as a user runs them, and the doctor before a stage's first step."""

import json
import sys

import pytest


@pytest.fixture
def cli(monkeypatch, capsys):
    """(*words) → (exit code, output, errors) of the command in this process."""

    def run(*words):
        from baro.cli import main

        monkeypatch.setattr(sys, "argv", ["baro", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


ROWS = [{"Q": f"What is {n} and {n + 1}?", "A": f"It is {n + n + 1}, I say."} for n in range(40)]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return tmp_path / "a.jsonl"


def test_clean_data(cli, file):
    code, out, _ = cli("data", "check", file)
    assert code == 0
    assert "nothing wrong in 40 rows" in out.replace("\n", " ")


def test_errors_leave_with_1_and_are_written(cli, file, tmp_path):
    file.write_text("\n".join(map(json.dumps, [*ROWS, {"Q": "What?", "A": ""}])))
    code, out, _ = cli("data", "check", file, "--json", tmp_path / "o.json", "--html", tmp_path / "o.html")
    assert code == 1
    assert "empty-answer" in out
    assert json.loads((tmp_path / "o.json").read_text())["findings"][0]["rows"] == [40]
    assert "empty-answer" in (tmp_path / "o.html").read_text(encoding="utf-8")


def test_held_out_questions(cli, file, tmp_path):
    (tmp_path / "held.jsonl").write_text(json.dumps({"prompt": ROWS[5]["Q"]}))
    code, out, _ = cli("data", "check", file, "--eval", tmp_path / "held.jsonl")
    assert code == 0
    assert "held-out-prompt" in out


def test_convert(cli, file, tmp_path):
    code, out, _ = cli("data", "convert", file, tmp_path / "b.json", "--format", "messages")
    assert code == 0
    assert out.startswith("40 rows written to")
    assert json.loads((tmp_path / "b.json").read_text())[0]["messages"][1]["content"] == ROWS[0]["A"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["check", "FILE", "--columns", "Q"], "expected ours=theirs"),
        (["check", "FILE", "--format", "alpacca"], "format is 'alpacca'"),
        (["convert", "FILE"], "found one file"),
        (["convert", "FILE", "out.doc"], "expected a name that ends in"),
    ],
)
def test_mistakes_are_one_line(cli, file, words, said):
    code, _, err = cli("data", *[str(file) if word == "FILE" else word for word in words])
    assert code == 2
    assert said in err
    assert "Traceback" not in err
