"""What changes a stage's hash, and what does not."""

from pathlib import Path

import pytest

from baro.pipeline import fingerprint as module
from baro.pipeline.fingerprint import code, fingerprint


@pytest.fixture
def key(tmp_path):
    """(settings, inputs, method) → the hash, for a run in tmp_path/run."""
    (tmp_path / "run").mkdir()

    def build(settings=None, inputs=None, method: str = "sft") -> str:
        module.content.cache_clear()
        return fingerprint(method, settings or {}, inputs or {}, run=tmp_path / "run")

    return build


def test_it_is_a_function_of_its_arguments(key):
    settings = {"learning_rate": 1e-3, "dataset": ["a", "b"]}
    assert key(settings) == key(dict(reversed(settings.items())))
    assert len(key(settings)) == 64
    different = [
        key({**settings, "learning_rate": 2e-3}),
        key({**settings, "dataset": ["b", "a"]}),
        key({**settings, "seed": 1}),
        key(settings, {"base": "x"}),
        key(settings, {"base": "y"}),
        key(settings, method="dpo"),
    ]
    assert len({key(settings), *different}) == 7


@pytest.mark.parametrize("name", ["output_dir", "logging_steps", "save_steps", "save_total_limit", "report_to"])
def test_what_cannot_change_the_result_is_left_out(key, name):
    assert key({"seed": 1, name: "x"}) == key({"seed": 1, name: "y"}) == key({"seed": 1})


@pytest.mark.parametrize("settings", [{"file": "$"}, {"files": ["$"]}, {"args": {"inner": [{"deep": "$"}]}}])
def test_files_count_by_content_wherever_they_are_named(key, tmp_path, settings):
    file = tmp_path / "data.jsonl"

    def named(value):
        if isinstance(value, dict):
            return {name: named(inner) for name, inner in value.items()}
        return [named(inner) for inner in value] if isinstance(value, list) else value.replace("$", str(file))

    missing = key(named(settings))
    file.write_text("one")
    first = key(named(settings))
    file.write_text("two")
    second = key(named(settings))
    file.write_text("one")
    assert len({missing, first, second}) == 3
    assert key(named(settings)) == first


def test_a_folder_counts_by_all_its_files(key, tmp_path):
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights").write_bytes(b"1")
    first = key({"model": str(folder)})
    (folder / "deep" / "weights").write_bytes(b"2")
    second = key({"model": str(folder)})
    (folder / "deep" / "weights").rename(folder / "deep" / "other")
    assert len({first, second, key({"model": str(folder)})}) == 3


def test_files_of_the_run_itself_count_through_their_stages(key, tmp_path):
    file = tmp_path / "run" / "world" / "text.jsonl"
    before = key({"dataset": [str(file)]}, {"world": "a"})
    file.parent.mkdir()
    file.write_text("made by the stage")
    assert key({"dataset": [str(file)]}, {"world": "a"}) == before
    assert key({"dataset": [str(file)]}, {"world": "b"}) != before


def test_functions_count_by_their_source(key, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def f(): return 1\n")
    first = key({"function": f"{file}:f"}, method="prepare")
    file.write_text("def f(): return 2\n")
    assert key({"function": f"{file}:f"}, method="prepare") != first
    ours = key({"function": "baro.playground:export"}, method="prepare")
    module.code.cache_clear()
    assert key({"function": "baro.playground:export"}, method="prepare") == ours
    assert ours != key({"function": "baro.playground:judge"}, method="prepare")


def test_words_that_name_no_file_are_only_words(key):
    assert key({"size": "nano", "about": "a/b", "text": "see. this"}) == key(
        {"size": "nano", "about": "a/b", "text": "see. this"}
    )


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package called baro: recipes.sft imports data.read lazily and objectives.lm; recipes.dpo does not."""
    root = tmp_path / "baro"
    for name, text in {
        "__init__": "",
        "recipes/__init__": "",
        "recipes/sft": "from baro.objectives import lm\ndef f():\n    from baro.data.read import rows\n",
        "recipes/dpo": "import torch\nimport baro.objectives.other\n",
        "objectives/__init__": "",
        "objectives/lm": "",
        "objectives/other": "",
        "data/__init__": "",
        "data/read": "import baro.data.deep\n",
        "data/deep": "",
        "cli": "",
    }.items():
        file = root / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(module, "ROOT", root)
    code.cache_clear()
    yield root
    code.cache_clear()


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("recipes/sft", True),
        ("objectives/lm", True),
        ("data/read", True),
        ("data/deep", True),
        ("data/__init__", True),
        ("objectives/other", False),
        ("recipes/dpo", False),
        ("cli", False),
    ],
)
def test_code_is_what_a_method_imports_directly_or_not(package: Path, file, changes):
    before = code("baro.recipes.sft")
    path = package / f"{file}.py"
    path.write_text(path.read_text() + "# another line\n")
    code.cache_clear()
    assert (code("baro.recipes.sft") != before) is changes


def test_every_method_has_code():
    code.cache_clear()
    found = {name: code(f"baro.recipes.{name}") for name in ("pretrain", "sft", "reward", "rejection", "dpo", "ppo")}
    found |= {name: code(entry) for name, entry in module.ENTRY.items()}
    nothing = code("baro.recipes.nothing")
    assert len({*found.values(), nothing}) == 9
