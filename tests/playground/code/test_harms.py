"""Harms change how a program reads, not what it does, and its length in the direction they promise."""

import ast
import types
from random import Random

import pytest

from baro.playground.code.harms import HARMS, letters, magic, names_of
from baro.playground.code.layout import SPOILS, Row, Style, bare, page, rows_of, tight
from baro.playground.code.lines import PYTHON, braces, lines_of
from baro.playground.code.programs import FORMS, made_up

PROGRAMS = {
    "count": ("def count_big(numbers):\n    LIMIT = 7\n    found = 0\n    for number in numbers:\n"
              "        if number > LIMIT:\n            found += 1\n    return found\n", ([1, 9, 8],)),
    "search": ("def search(numbers, wanted):\n    low = 0\n    high = len(numbers) - 1\n    while low <= high:\n"
               "        middle = (low + high) // 2\n        value = numbers[middle]\n        if value == wanted:\n"
               "            return middle\n        if value < wanted:\n            low = middle + 1\n        else:\n"
               "            high = middle - 1\n    return -1\n", ([2, 4, 6, 8, 10], 8)),
    "words": ("def join_long(words, size):\n    kept = [word for word in words if len(word) >= size]\n"
              "    text = ' a,b '.join(kept)\n    return text + '!'\n", (["one", "three", "seven"], 4)),
    "twice": ("def twice(value):\n    double = value * 2\n    more = double + 1\n    return double * more\n", (3,)),
    "truth": ("def is_small(value):\n    SMALL = 10\n    half = value / 2\n    return half < SMALL\n", (12,)),
}  # fmt: skip
SHORTER = {"letters", "vowelless", "gibberish", "magic", "dense", "joined", "bare", "tight", "flat"}
LONGER = {"mumbled", "puzzling", "nested", "dead", "wordy", "ragged", "gaps", "noise", "broken", "twice"}


def run(text: str, given: tuple) -> object:
    module = types.ModuleType("program")
    exec(compile(text, "program", "exec"), module.__dict__)
    functions = [each for each in vars(module).values() if isinstance(each, types.FunctionType)]
    assert len(functions) == 1
    return functions[0](*given)


def written(tree, *, spoil=None, language=PYTHON, seed=0):
    style = Style(said="what it is for")
    rows = rows_of(lines_of(tree, language), language, style)
    return page(SPOILS[spoil](rows, language, Random(seed)) if spoil else rows, style)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("harm", [*HARMS, *(name for name in SPOILS if name not in ("ragged", "broken"))])
def test_a_harmed_program_does_what_it_did(harm, name):
    source, given = PROGRAMS[name]
    wanted = run(source, given)
    for seed in range(5):
        tree = ast.parse(source).body
        tree = HARMS[harm](tree, Random(seed)) if harm in HARMS else tree
        assert run(written(tree, spoil=harm if harm in SPOILS else None, seed=seed), given) == wanted


@pytest.mark.parametrize("harm", [*HARMS, *SPOILS])
def test_length_goes_where_it_is_said_to_go(harm):
    assert (harm in SHORTER) != (harm in LONGER)
    before = after = 0
    for program in made_up(40, Random(1)):
        for language in (lambda: PYTHON, braces):
            tree = HARMS[harm](program.tree, Random(2)) if harm in HARMS else program.tree
            after += len(written(tree, spoil=harm if harm in SPOILS else None, language=language()))
            before += len(written(program.tree, language=language()))
    assert after < before if harm in SHORTER else after > before


def test_a_harm_leaves_the_tree_it_was_given():
    for program in made_up(20, Random(3)):
        before = ast.dump(ast.Module(program.tree, []))
        for harm in HARMS.values():
            harm(program.tree, Random(0))
        assert ast.dump(ast.Module(program.tree, [])) == before


def test_every_name_of_its_own_and_no_other_is_renamed():
    tree = ast.parse(
        "def total(prices, rate):\n    whole = sum(prices)\n    return len(prices) * whole * rate.value\n"
    ).body
    assert names_of(tree) == ["total", "prices", "rate", "whole"]
    text = ast.unparse(ast.Module(letters(tree, Random(0)), []))
    assert not any(name in text for name in names_of(tree))
    assert "sum(" in text
    assert "len(" in text
    assert ".value" in text


def test_a_named_constant_becomes_its_number():
    tree = magic(ast.parse("def f(a):\n    LIMIT = 42\n    return a > LIMIT\n").body, Random(0))
    assert ast.unparse(ast.Module(tree, [])) == "def f(a):\n    return a > 42"


def test_what_stands_in_quotes_is_left_alone():
    rows = [Row(0, 'say("a , b = c", x = 1)'), Row(0, "# a = b", "comment"), Row(0, "", "blank")]
    assert [row.text for row in tight(rows, PYTHON, Random(0))][:2] == ['say("a , b = c",x=1)', "# a = b"]
    assert len(bare(rows, PYTHON, Random(0))) == 1


def test_every_form_makes_a_program():
    families = {program.family for program in made_up(300, Random(0))}
    assert families == {f"form-{form}" for form in FORMS}
