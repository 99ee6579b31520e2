"""What a reader may rely on: nothing unpickled, no drawer for leftovers, a command line that starts fast."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "baro"
DRAWERS = {"utils", "util", "helpers", "helper", "misc", "common"}
UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"hasattr", "torch.load", "eval", "exec"}
HEAVY = ("torch", "transformers", "pydantic", "scipy", "sklearn", "matplotlib", "pandas", "pyarrow")
MACHINE = re.compile("|".join(rf"(?<![\w./])/{name}/\w" for name in ("work", "root", "home", "Users", "mnt")))
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".sh", ".txt", ".cfg", ".j2", ""}


def faults(tree: ast.AST) -> Iterator[str]:
    """`line: what` of imports and calls that read code or hide an interface."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func) in CALLS:
                yield f"{node.lineno}: {ast.unparse(node.func)}()"
            if any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords):
                yield f"{node.lineno}: allow_pickle"


def written() -> list[Path]:
    """Every text file of the project, without what is built or run."""
    skipped = {".git", ".venv", "runs", "build", "dist", "__pycache__", "node_modules", ".baro-cache"}
    files = []
    for path in sorted(ROOT.iterdir()):
        if path.name in skipped or path.name.endswith("_cache"):
            continue
        files += [path] if path.is_file() else path.rglob("*")
    kept = [file for file in files if not skipped & set(file.parts) and ".venv-" not in str(file.relative_to(ROOT))]
    return [file for file in kept if file.is_file() and file.suffix in TEXT]


def test_no_file_is_a_drawer():
    assert [str(file) for file in SOURCE.rglob("*.py") if file.stem in DRAWERS] == []


def test_nothing_is_unpickled_and_no_interface_is_guessed():
    found = [
        f"{file.relative_to(SOURCE)}:{fault}"
        for file in sorted(SOURCE.rglob("*.py"))
        for fault in faults(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_faults_are_seen():
    text = "import pickle\nfrom dill import load\nif hasattr(x, 'y'): torch.load(f)\nnp.load(f, allow_pickle=True)\n"
    assert [fault.split(":")[0] for fault in faults(ast.parse(text))].count("3") == 2
    assert sorted(fault.split(":")[0] for fault in faults(ast.parse(text))) == ["1", "2", "3", "3", "4"]
    assert list(faults(ast.parse("model.eval()\nload(f)\nself.load(f)"))) == []


def test_no_path_of_a_machine():
    found = []
    for file in written():
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1):
            if MACHINE.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_a_path_of_a_machine_is_seen():
    assert MACHINE.search('open("/' + 'home/someone/x")')
    assert not MACHINE.search("docs/" + "home/page.md")
    assert not MACHINE.search("https://example.org/" + "work/x")


@pytest.mark.slow
def test_the_command_line_starts_without_heavy_libraries():
    if not (SOURCE / "cli.py").is_file() and not (SOURCE / "cli").is_dir():
        pytest.skip("there is no command line yet")
    code = "import sys, baro.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []
