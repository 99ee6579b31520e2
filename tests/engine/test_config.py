"""Settings: what beats what, what is understood, and every mistake at once with the place it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from baro.core.errors import ConfigError
from baro.engine.config import ExistingPath, Option, Settings, Training, describe, load, type_name


class Inner(Settings):
    temperature: float = Field(default=1.0, gt=0)
    """Of sampling."""
    top_k: int = 0


class Recipe(Settings):
    """A recipe."""

    model: str
    """Where it is."""
    learning_rate: float = 1e-3
    """Peak, per step."""
    steps: int = 10
    packing: bool = False
    flash: bool = True
    kind: Literal["linear", "cosine"] = "linear"
    limit: int | None = 3
    files: list[Path] = []
    weights: tuple[float, ...] = ()
    inner: Inner = Inner()
    extra: dict[str, Any] = {}
    resume: bool | Path = True


def fail(*words: str, file: Path | None = None, cls: type[Settings] = Recipe, **base) -> str:
    with pytest.raises(ConfigError) as caught:
        load(cls, file, words, **base)
    return str(caught.value)


@pytest.fixture
def yaml(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# --- what is understood ----------------------------------------------------------------------------------------------


def test_defaults_then_the_program_then_the_file_then_the_command_line(yaml):
    file = yaml("model: file\nsteps: 3\nkind: cosine\n")
    found = load(Recipe, file, ["steps=4"], model="program", limit=9)
    assert (found.model, found.steps, found.kind, found.limit, found.learning_rate) == ("file", 4, "cosine", 9, 1e-3)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["learning_rate=1e-5"], "learning_rate", 1e-5),
        (["--learning_rate", "1e-5"], "learning_rate", 1e-5),
        (["--learning_rate=1e-5"], "learning_rate", 1e-5),
        (["--learning-rate", "1e-5"], "learning_rate", 1e-5),
        (["learning-rate=1e-5"], "learning_rate", 1e-5),
        (["steps=-1"], "steps", -1),
        (["--steps", "-1"], "steps", -1),
        (["--packing"], "packing", True),
        (["--packing", "true"], "packing", True),
        (["--packing", "no"], "packing", False),
        (["packing=1"], "packing", True),
        (["--no_flash"], "flash", False),
        (["--no-flash"], "flash", False),
        (["--flash", "--packing"], "packing", True),
        (["--packing", "steps=7"], "packing", True),
        (["limit=none"], "limit", None),
        (["limit=null"], "limit", None),
        (["--limit", "None"], "limit", None),
        (["model=none"], "model", "none"),
        (["files=a,b"], "files", [Path("a"), Path("b")]),
        (["files=[a, b]"], "files", [Path("a"), Path("b")]),
        (["files=none"], "files", []),
        (["--files", "a", "b", "steps=3"], "files", [Path("a"), Path("b")]),
        (["--files", "a", "--packing"], "files", [Path("a")]),
        (["weights=0.5,2"], "weights", (0.5, 2.0)),
        (["inner.temperature=0.7"], "inner", Inner(temperature=0.7)),
        (["--inner.top-k", "5"], "inner", Inner(top_k=5)),
        (["extra={a: [1, x]}"], "extra", {"a": [1, "x"]}),
        (["extra.lang=ko"], "extra", {"lang": "ko"}),
        (["--resume"], "resume", True),
        (["--no_resume"], "resume", False),
        (["--resume", "runs/x"], "resume", Path("runs/x")),
        (["steps=3", "steps=4"], "steps", 4),
        (["model=a=b"], "model", "a=b"),
    ],
)
def test_words_of_the_command_line(words, name, value):
    assert getattr(load(Recipe, None, words, model="m"), name) == value


def test_a_file(yaml):
    file = yaml(
        "# how we train\nmodel: gpt  # small\nlearning_rate: 1e-5\nlimit: none\nfiles: [a, b]\nflash: no\n"
        "inner:\n  temperature: 2\nextra:\n  args: {seed: 3}\n"
    )
    found = load(Recipe, file)
    assert (found.model, found.learning_rate, found.limit, found.flash) == ("gpt", 1e-5, None, False)
    assert found.files == [Path("a"), Path("b")]
    assert found.inner == Inner(temperature=2.0)
    assert found.extra == {"args": {"seed": 3}}


def test_the_command_line_reaches_into_what_the_file_gave(yaml):
    file = yaml("model: m\ninner: {temperature: 2, top_k: 4}\n")
    assert load(Recipe, file, ["inner.top_k=9"]).inner == Inner(temperature=2.0, top_k=9)


def test_an_empty_file_is_no_setting(yaml):
    assert load(Recipe, yaml("# nothing\n"), ["model=m"]).steps == 10


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        load(Recipe, None, ["model=m"]).steps = 3  # type: ignore[misc]


def test_files_that_must_be_there(tmp_path):
    class Reads(Settings):
        data: list[ExistingPath]

    (tmp_path / "a.jsonl").write_text("")
    assert load(Reads, data=[tmp_path / "a.jsonl", tmp_path / "*.jsonl", tmp_path]).data[1].name == "*.jsonl"
    text = fail(f"data={tmp_path}/a.jsonl,{tmp_path}/b.jsonl", cls=Reads)
    assert text == f"data={tmp_path}/a.jsonl,{tmp_path}/b.jsonl: data: no such file or folder: {tmp_path}/b.jsonl."
    later = tmp_path / "runs" / "made_later.jsonl"
    assert load(Reads, pending=[tmp_path / "runs"], data=[str(later)]).data == [later]


# --- what is not -----------------------------------------------------------------------------------------------------


def test_an_unknown_key_names_its_line_and_the_nearest(yaml):
    file = yaml("model: m\n\nlearnign_rate: 0.5\n")
    assert fail(file=file) == f"{file}:3: unknown setting learnign_rate. Did you mean learning_rate?"
    assert fail("model=m", "--bogus_flag", "3") == (
        "--bogus_flag 3: unknown setting bogus_flag. --help lists every setting."
    )
    assert fail("model=m", "temperatur=1") == (
        "temperatur=1: unknown setting temperatur. Did you mean inner.temperature?"
    )
    assert "Did you mean inner.top_k?" in fail("model=m", "inner.topk=1")


def test_every_problem_at_once_each_with_its_place(yaml):
    file = yaml("steps: many\nkind: cosin\nlearnign_rate: 1\nlimit: 1.5\nflash: maybe\ninner:\n  temperature: -1\n")
    text = fail("packing=2", "weights=1,x", file=file)
    assert text.splitlines()[0] == "9 problems:"
    assert {line.strip() for line in text.splitlines()[1:]} == {
        f"{file}:1: steps: found 'many', expected a whole number.",
        f"{file}:2: kind: found 'cosin', expected 'linear' or 'cosine'. Did you mean cosine?",
        f"{file}:3: unknown setting learnign_rate. Did you mean learning_rate?",
        f"{file}:4: limit: found 1.5, expected a whole number.",
        f"{file}:5: flash: found 'maybe', expected true or false.",
        f"{file}:7: inner.temperature: found -1, expected a number greater than 0.",
        "packing=2: packing: found '2', expected true or false.",
        "weights=1,x: weights: found '1,x', expected a number.",
        "model is needed and was not given. Give model=...",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: m\nsteps: yes\n", ":2: steps: found True, expected a whole number."),
        ("model: m\nmodel: n\n", ":2: model is given twice."),
        ("- a\n- b\n", ":1: found a list or a word, expected lines of the form key: value."),
        ("model: m\nsteps: [\n", ":3: not YAML: expected the node content, but found '<stream end>'."),
        ("model: m\nsteps:\n", ":2: steps: found none, expected a whole number."),
        ("model: m\ninner: 3\n", ":2: inner: found 3, expected"),
    ],
)
def test_files_that_cannot_be_used(yaml, text, message):
    file = yaml(text)
    assert fail(file=file).startswith(f"{file}{message}")


def test_files_that_cannot_be_read(tmp_path):
    assert (
        fail(file=tmp_path / "no.yaml") == f"{tmp_path}/no.yaml: cannot read the settings: No such file or directory."
    )
    (tmp_path / "latin.yaml").write_bytes(b"model: caf\xe9\n")
    assert "not UTF-8" in fail(file=tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=m", "--steps"], "--steps: found no value, expected a whole number."),
        (["model=m", "--steps", "--packing"], "--steps: found no value, expected a whole number."),
        (["model=m", "out"], "out: expected key=value or --key value."),
        (["model=m", "--unheard"], "--unheard: unknown setting unheard. --help lists every setting."),
        (["model=m", "extra={a"], "extra={a: extra: found '{a', expected"),
    ],
)
def test_words_that_cannot_be_used(words, message):
    assert fail(*words).startswith(message)


def test_what_a_recipe_itself_refuses():
    class Strict(Settings):
        low: int = 0
        high: int = 1

        @model_validator(mode="after")
        def _ordered(self):
            if self.low > self.high:
                raise ValueError(f"low is {self.low}, expected at most high, which is {self.high}")
            return self

    assert fail("low=3", cls=Strict) == "low is 3, expected at most high, which is 1."


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_rows_of_the_help():
    rows = {row.name: row for row in describe(Recipe)}
    assert rows["model"] == Option("model", "text", "needed", "Where it is.")
    assert rows["learning_rate"] == Option("learning_rate", "a number", "0.001", "Peak, per step.")
    assert rows["kind"].type == "linear or cosine"
    assert rows["limit"][1:3] == ("a whole number or none", "3")
    assert rows["files"][1:3] == ("a list of paths", "none")
    assert rows["flash"].default == "true"
    assert rows["resume"].type == "true or false or a path"
    assert type_name(dict[str, int] | None) == "a mapping or none"


def test_every_setting_of_training_says_what_it_is():
    rows = describe(Training)
    assert [row.name for row in rows if not row.doc] == []
    assert [row.name for row in rows if row.default == "needed"] == ["output_dir"]


def test_training():
    settings = load(Training, None, ["output_dir=x", "--report_to", "none", "gradient_accumulation_steps=4"])
    assert settings.report_to == []
    assert settings.sequences_per_update == 8 * 4
    assert settings.warmup(100) == 0
    assert load(Training, None, ["output_dir=x", "warmup_ratio=0.03"]).warmup(50) == 2  # 1.5, rounded up
    assert load(Training, None, ["output_dir=x", "warmup_ratio=0.5", "warmup_steps=7"]).warmup(50) == 7
    assert load(Training, None, ["output_dir=x", "report_to=wandb,tensorboard"]).report_to == ["wandb", "tensorboard"]
    assert "no such file or folder: nowhere" in fail("output_dir=x", "resume_from_checkpoint=nowhere", cls=Training)
    assert load(Training, None, ["output_dir=x", "--no_resume_from_checkpoint"]).resume_from_checkpoint is False
    assert "'tensorboard' or 'wandb'" in fail("output_dir=x", "report_to=mlflow", cls=Training)


@pytest.mark.slow
def test_reading_settings_needs_no_torch():
    code = "import sys, baro.engine.config; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
