from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def _load():
    spec = importlib.util.spec_from_file_location("house_invariants", Path(__file__).parent / "invariants.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


house = _load()


def test_the_page_is_up_to_date():
    found = house.PAGE.read_text(encoding="utf-8") if house.PAGE.is_file() else ""
    assert found == house.page(house.ROOT / "tests"), "run: python tests/house/invariants.py"


def test_every_invariant_has_one_statement():
    numbers = [number for section in house.STATEMENTS.values() for number in section]
    assert numbers == list(range(1, 71))


def test_marks_are_collected_from_the_syntax_tree(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "test_a.py").write_text(
        "import pytest\n"
        "@pytest.mark.slow\n@pytest.mark.invariant('I1', 'I3')\ndef test_one(): ...\n"
        "class TestTwo:\n    @pytest.mark.invariant('I3')\n    def test_two(self): ...\n"
        "@pytest.mark.incident('T1')\ndef test_three(): ...\n"
    )
    assert house.marked(tmp_path, "invariant") == {
        "I1": ["room/test_a.py::test_one"],
        "I3": ["room/test_a.py::test_one", "room/test_a.py::test_two"],
    }
    text = house.page(tmp_path)
    assert "2 of 70 are proven" in text
    assert "| I3 | " + house.STATEMENTS["Language models and fine-tuning"][3] + " | [one](../tests/room" in text
    assert text.count("not applicable yet") == 1


def test_an_unknown_invariant_is_refused(tmp_path):
    (tmp_path / "test_a.py").write_text("import pytest\n@pytest.mark.invariant('I99')\ndef test_one(): ...\n")
    with pytest.raises(ValueError, match="I99"):
        house.page(tmp_path)
