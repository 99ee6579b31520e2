"""A file is read in one sitting, a function on one screen."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "baro"
FILE, RECIPE, FUNCTION = 400, 200, 60


def too_long(root: Path) -> list[str]:
    """Files and functions below `root` with more lines than they may have."""
    found = []
    for file in sorted(root.rglob("*.py")):
        where, text = file.relative_to(root), file.read_text(encoding="utf-8")
        limit = RECIPE if where.parts[0] == "recipes" else FILE
        if (lines := len(text.splitlines())) > limit:
            found.append(f"{where}: {lines} lines, at most {limit}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION:
                    found.append(f"{where}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION}")
    return found


def test_files_and_functions_are_short():
    assert too_long(SOURCE) == []


def test_what_is_too_long_is_found(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "a.py").write_text("x = 1\n" * 201)
    (tmp_path / "b.py").write_text("x = 1\n" * 400)
    (tmp_path / "c.py").write_text("class A:\n    def f(self):\n" + "        x = 1\n" * 60 + "    def g(self): ...\n")
    assert too_long(tmp_path) == ["c.py:2: f has 61 lines, at most 60", "recipes/a.py: 201 lines, at most 200"]
