"""What a stage's result depends on, as one hash: its settings, its inputs and the code it runs."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import baro
from baro.rewards.environment import SHIPPED

ROOT = Path(baro.__file__).parent
ENTRY = {"prepare": "baro.pipeline.prepare", "evaluate": "baro.pipeline.evaluation"}
IRRELEVANT = {
    "output_dir",
    "device",
    "threads",
    "report_to",
    "logging_steps",
    "save_steps",
    "save_total_limit",
    "check_data",
}


def fingerprint(method: str, settings: dict[str, Any], inputs: dict[str, str], *, run: Path) -> str:
    """A stage's hash.

    Args:
        method: the recipe's name, "prepare" or "evaluate".
        settings: resolved settings; those that cannot change the result are left out. Files and folders are hashed by
            their content, functions (`module:function`, `file.py:function`) by their source.
        inputs: the fingerprints of the stages it reads, which stand for all files in the run's own folder.
        run: the run's folder.
    """
    relevant = {key: value for key, value in settings.items() if key not in IRRELEVANT}
    words = sorted(_words(relevant))
    known = {
        "method": method,
        "settings": relevant,
        "files": {word: content(path) for word in words if (path := _file(word, run))},
        "functions": {word: code(module) for word in words if (module := _module(word))},
        "inputs": inputs,
        "code": code(ENTRY.get(method, f"baro.recipes.{method}")),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def _words(value: Any) -> set[str]:
    """Every text anywhere in the settings."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(_words, value)) if value else set()
    return {str(value)} if isinstance(value, str | Path) else set()


def _file(word: str, run: Path) -> Path | None:
    """The file or folder a text names, if there is one outside the run's folder."""
    path = Path(word.split(".py:")[0] + ".py" if ".py:" in word else word)
    named = "/" in word or "." in word
    return path if named and path.exists() and not path.resolve().is_relative_to(run.resolve()) else None


def _module(word: str) -> str | None:
    """The module of the package that a function's or a shipped environment's name points into."""
    module, colon, name = SHIPPED.get(word, word).partition(":")
    return module if colon and name.isidentifier() and module.partition(".")[0] == "baro" else None


@cache
def content(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder."""
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
        waiting.append(name.rpartition(".")[0])  # a package's own file runs before its modules
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
