"""One program, two languages: written out by hand."""

import ast

from baro.playground.code.layout import Style, page, rows_of
from baro.playground.code.lines import PYTHON, braces, camel, lines_of

PROGRAM = '''
def find_first(words, wanted):
    """where it stands"""
    last_place = -1
    for i in range(len(words)):
        if words[i] == wanted and not last_place > 0:
            last_place = i
        elif wanted in words:
            words.append("a'b")
        else:
            return None
    while last_place < 3:
        last_place += 1
    return [word.lower() for word in words if word != wanted]
'''
BRACES = """public List<Integer> findFirst(List<Integer> words, int wanted) {
    // where it stands
    var lastPlace = -1;
    for (int i = 0; i < words.size(); i++) {
        if ((words[i] == wanted) && !(lastPlace > 0)) {
            lastPlace = i;
        } else if (words.contains(wanted)) {
            words.add("a'b");
        } else {
            return null;
        }
    }
    while (lastPlace < 3) {
        lastPlace++;
    }
    return words.stream().filter(word -> word != wanted).map(word -> word.toLowerCase()).toList();
}"""


def written(language, **style):
    chosen = Style(airy=False, **style)
    return page(rows_of(lines_of(ast.parse(PROGRAM).body, language), language, chosen), chosen)


def test_with_braces():
    assert written(braces()) == BRACES


def test_in_python_the_tree_comes_back():
    """Comments apart, what is written is what was read."""
    silent = PROGRAM.replace('    """where it stands"""\n', "")
    assert ast.dump(ast.parse(written(PYTHON))) == ast.dump(ast.parse(silent))


def test_a_brace_may_stand_on_its_own_line():
    found = written(braces(), own_line=True).splitlines()
    assert found[1] == "{"
    assert "        }" in found
    assert not any("} else" in line for line in found)


def test_a_name_is_declared_once():
    program = ast.parse("def f(a):\n    b = 1\n    b = 2\n    a = 3\n    LIMIT = 4\n").body
    said = [line.text for line in lines_of(program, braces())[0].body]
    assert said == ["int b = 1", "b = 2", "a = 3", "final int LIMIT = 4"]


def test_names_change_their_style_only():
    assert [camel(name) for name in ("find_last_word", "x", "LIMIT", "_", "a_b_")] == [
        "findLastWord", "x", "LIMIT", "_", "aB"
    ]  # fmt: skip
