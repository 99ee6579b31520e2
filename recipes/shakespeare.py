"""Tiny Shakespeare as two documents, the split of nanoGPT's character recipe (Karpathy 2022, data/shakespeare_char).

text.jsonl          one row {"text"}: the first 90 % of the characters (1,003,854)
text_heldout.jsonl  one row {"text"}: the last 10 % (111,540)

The text is one long document and stays one: pre-training cuts it into blocks of the context (64 characters in that
recipe), and a character tokenizer finds the 65 characters it consists of. Line ends and spaces are kept as they are.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from baro.core.errors import DataError
from baro.data.read import write_jsonl

FILE = "tinyshakespeare.txt.gz"


def prepare(folder: Path, *, data: Path) -> dict[str, int]:
    """Write text.jsonl and text_heldout.jsonl into `folder`; the characters of each and how many differ.

    Args:
        data: the folder of tinyshakespeare.txt.gz.

    Raises:
        DataError: the file is missing.
    """
    source = Path(data) / FILE
    if not source.is_file():
        raise DataError("The file does not exist.", where=str(source), hint=f"Pass data=FOLDER that holds {FILE}.")
    text = gzip.decompress(source.read_bytes()).decode("utf-8")
    cut = int(0.9 * len(text))
    parts = {"text": text[:cut], "text_heldout": text[cut:]}
    for name, part in parts.items():
        write_jsonl(Path(folder) / f"{name}.jsonl", [{"text": part}])
    return {name: len(part) for name, part in parts.items()} | {"vocabulary": len(set(text))}
