"""Imports point down only, and rooms on one floor never import each other; lazy imports count too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "baro"
FLOORS = {
    "core": 0,
    **dict.fromkeys(["objectives", "data", "models", "engine", "playground"], 1),
    **dict.fromkeys(["rewards", "watch", "evals"], 2),
    "recipes": 3,
    "pipeline": 4,
    "web": 5,
    "cli": 6,  # the command line starts everything, the web pages included
    "__main__": 7,
}
TORCH_ONLY = ("core", "objectives")


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a module of `package`, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from ((node.lineno, str(name.value)) for name in node.args[:1] if isinstance(name, ast.Constant))


def modules(root: Path) -> Iterator[tuple[Path, str, list[tuple[int, str]]]]:
    """(file, room, imports) of every module below the package folder `root`."""
    for file in sorted(root.rglob("*.py")):
        inside = file.relative_to(root)
        room = inside.parts[0].removesuffix(".py")
        package = [root.name, *inside.parts[:-1]]
        yield file, room, list(imports(ast.parse(file.read_text(encoding="utf-8")), package))


def violations(root: Path, floors: dict[str, int]) -> list[str]:
    """Arrows that do not point down, as `file:line: room -> room`."""
    rooms = {path.name.removesuffix(".py") for path in root.iterdir() if path.suffix == ".py" or path.is_dir()}
    found = []
    for file, room, names in modules(root):
        where = file.relative_to(root)
        if room not in floors and room != "__init__":
            found.append(f"{where}: the room {room} has no floor")
            continue
        for line, name in names:
            parts = name.split(".")
            if parts[0] != root.name or len(parts) < 2 or parts[1] not in rooms or parts[1] == room:
                continue
            if floors.get(parts[1], 99) >= floors.get(room, -1):
                found.append(f"{where}:{line}: {room} -> {parts[1]}")
    return found


def test_imports_point_down():
    assert violations(SOURCE, FLOORS) == []


def test_formulas_need_torch_and_nothing_else():
    allowed = {*sys.stdlib_module_names, "torch", "baro"}
    foreign = [
        f"{file.relative_to(SOURCE)}:{line}: {name}"
        for file, room, names in modules(SOURCE)
        if room in TORCH_ONLY
        for line, name in names
        if name.split(".")[0] not in allowed
    ]
    assert foreign == []


def test_the_engine_knows_no_language():
    foreign = [
        f"{file.relative_to(SOURCE)}:{line}: {name}"
        for file, room, names in modules(SOURCE)
        if room == "engine"
        for line, name in names
        if name.split(".")[0] in ("transformers", "tokenizers")
    ]
    assert foreign == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    root = tmp_path / "baro"
    for room in ("core", "data", "models", "recipes"):
        (root / room).mkdir(parents=True)
        (root / room / "__init__.py").write_text("")
    (root / "__init__.py").write_text('__version__ = "0"\n')
    (root / "recipes" / "sft.py").write_text("import torch\nfrom baro.data import read\nfrom . import stage\n")
    (root / "data" / "read.py").write_text("import baro\nfrom baro import __version__\nfrom ..core import types\n")
    return root


def test_the_walker_accepts_arrows_that_point_down(house):
    assert violations(house, FLOORS) == []


@pytest.mark.parametrize(
    ("file", "text", "arrow"),
    [
        ("core/a.py", "import baro.data", "core/a.py:1: core -> data"),
        ("core/a.py", "from baro import data", "core/a.py:1: core -> data"),
        ("data/a.py", "from baro.models import load", "data/a.py:1: data -> models"),
        ("data/a.py", "def f():\n    from baro.recipes.sft import main\n", "data/a.py:2: data -> recipes"),
        ("data/a.py", "from ..recipes import sft", "data/a.py:1: data -> recipes"),
        ("data/deep/a.py", "from ...models.load import x", "data/deep/a.py:1: data -> models"),
        ("models/a.py", "import importlib\nimportlib.import_module('baro.data.read')", "models/a.py:2: models -> data"),
        ("models/a.py", "if TYPE_CHECKING:\n    from baro.data import read", "models/a.py:2: models -> data"),
        ("__init__.py", "from baro.core import types", "__init__.py:1: __init__ -> core"),
        ("attic/a.py", "", "attic/a.py: the room attic has no floor"),
    ],
)
def test_the_walker_sees_every_arrow_that_does_not(house, file, text, arrow):
    (house / file).parent.mkdir(exist_ok=True)
    (house / file).write_text(text)
    assert violations(house, FLOORS) == [arrow]
