"""What a stage's result depends on, as one hash: its settings, its inputs and the code it runs."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import baro

ROOT = Path(baro.__file__).parent
IRRELEVANT = {"output_dir", "device", "threads", "report_to", "logging_steps", "save_steps", "save_total_limit"}


def fingerprint(method: str, settings: dict[str, Any], inputs: dict[str, str]) -> str:
    """A stage's hash.

    Args:
        method: the recipe's name.
        settings: resolved settings; those that cannot change the result are left out. Files outside the run are
            hashed by their content.
        inputs: the fingerprints of the stages it reads.
    """
    relevant = {key: value for key, value in settings.items() if key not in IRRELEVANT}
    known = {
        "method": method,
        "settings": relevant,
        "files": {file: _content(Path(file)) for file in sorted(_paths(relevant))},
        "inputs": inputs,
        "code": code(f"baro.recipes.{method}" if method != "prepare" else "baro.pipeline.prepare"),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def _paths(value: Any) -> set[str]:
    """Existing files and folders named anywhere in the settings (`file.py:function` counts as its file)."""
    if isinstance(value, dict):
        return set().union(*map(_paths, value.values())) if value else set()
    if isinstance(value, list | tuple):
        return set().union(*map(_paths, value)) if value else set()
    if not isinstance(value, str | Path):
        return set()
    text = str(value).split(".py:")[0] + ".py" if ".py:" in str(value) else str(value)
    return {text} if ("/" in text or "." in text) and Path(text).exists() else set()


@cache
def _content(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder; folders of the run itself are covered by `inputs`."""
    if path.is_dir() and (path / "stage.json").exists():
        return "a stage"
    if any((parent / "stage.json").exists() for parent in path.parents):
        return "of a stage"
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(str(file.relative_to(path.parent)).encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@cache
def code(module: str) -> str:
    """SHA-256 over the sources of `module` and of everything in the package it imports, directly or not."""
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _source(name)
        if name in seen or file is None:
            continue
        seen[name] = file.read_bytes()
        waiting += _imports(ast.parse(seen[name]))
    return hashlib.sha256(b"\0".join(seen[name] for name in sorted(seen))).hexdigest()


def _source(name: str) -> Path | None:
    if name.partition(".")[0] != "baro":
        return None
    path = ROOT.joinpath(*name.split(".")[1:])
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
