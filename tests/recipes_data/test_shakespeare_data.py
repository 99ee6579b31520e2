"""recipes/shakespeare.py: nanoGPT's split, and not a character lost."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path

import pytest

from baro.core.errors import DataError
from baro.data.read import read_texts

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "shakespeare"
SPEC = importlib.util.spec_from_file_location("shakespeare_recipe", ROOT / "recipes" / "shakespeare.py")
shakespeare = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(shakespeare)


def texts_of(folder: Path, name: str) -> list[str]:
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def test_nine_tenths_and_the_rest_with_line_ends_and_blanks_kept(tmp_path):
    text = "First Citizen:\r\nSpeak.\n\n  O! \n"  # 30 characters
    (tmp_path / "tinyshakespeare.txt.gz").write_bytes(gzip.compress(text.encode()))
    counts = shakespeare.prepare(tmp_path / "out", data=tmp_path)
    assert counts == {"text": 27, "text_heldout": 3, "vocabulary": 20}
    assert texts_of(tmp_path / "out", "text") == [text[:27]]
    assert texts_of(tmp_path / "out", "text_heldout") == ["! \n"]
    assert [row.text for row in read_texts(tmp_path / "out" / "text.jsonl").rows] == [text[:27]]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tinyshakespeare\.txt\.gz: The file does not exist"):
        shakespeare.prepare(tmp_path / "out", data=tmp_path)


@pytest.mark.skipif(not DATA.is_dir(), reason="tinyshakespeare is not beside the project (../shared/data/shakespeare)")
def test_the_published_split(tmp_path):
    # nanoGPT, data/shakespeare_char/prepare.py: 65 characters, train 1,003,854 tokens, val 111,540 tokens.
    assert shakespeare.prepare(tmp_path, data=DATA) == {"text": 1_003_854, "text_heldout": 111_540, "vocabulary": 65}
    whole = gzip.decompress((DATA / "tinyshakespeare.txt.gz").read_bytes()).decode()
    assert "".join(texts_of(tmp_path, "text") + texts_of(tmp_path, "text_heldout")) == whole
