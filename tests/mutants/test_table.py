"""The table of mutants fits the code it changes, so that running them proves something."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src" / "baro"


sys.path.insert(0, str(Path(__file__).parent))  # the runner is a script; its modules lie beside it
run = importlib.import_module("run")
MUTANTS = importlib.import_module("table").MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_changes_one_place_and_names_a_test(mutant):
    text = (SOURCE / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file}: {mutant.old!r}"
    ast.parse(text.replace(mutant.old, mutant.new))
    file, _, name = mutant.test.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    tests = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not name or name.split("[")[0].split("::")[-1] in tests


def test_names_are_unique_and_there_are_enough():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))
    assert len(names) >= 20


@pytest.mark.slow
def test_the_runner_tells_a_bug_that_is_noticed_from_one_that_is_not():
    seen = next(mutant for mutant in MUTANTS if mutant.file == "core/types.py")
    assert run.verdict(seen)[1:] == (True, "core/test_types.py::" + run.verdict(seen)[2].split("::")[1])
    harmless = type(seen)(**{**vars(seen), "new": seen.old + "  # the same"})
    assert run.verdict(harmless)[1:] == (False, "every test stayed green")
    elsewhere = type(seen)(**{**vars(seen), "test": "core/test_types.py::test_that_does_not_exist"})
    assert run.verdict(elsewhere)[1] is False
    assert run.verdict(elsewhere)[2].startswith("could not run")
