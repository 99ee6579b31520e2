"""Rows in the terminal: which stretch is green is which stretch is learnt."""

from io import StringIO

import pytest
from rich.console import Console

from baro.data.read import write_jsonl
from baro.data.records import Dialogue, Message
from baro.data.show import coloured, show
from baro.data.templates import render


@pytest.mark.parametrize("name", ["bpe", "characters", "chatml"])
def test_learnt_text_is_green_and_the_rest_dim(build, name):
    tokenizer = build(name)
    sequence = render(tokenizer, Dialogue((Message("user", "질문 [red]"), Message("assistant", "다시 🙂"))))
    text = coloured(tokenizer, sequence)
    assert text.plain == tokenizer.decode(sequence.tokens)
    found = {str(span.style): text.plain[span.start : span.end] for span in text.spans}
    assert found["green"].startswith("다시 🙂<|")
    assert found["dim"].endswith(text.plain[: text.plain.index("다시")][-8:])
    assert len(text.spans) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "Hello", "output": "there"}, "alpaca: instruction, output → 1 conversations"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "messages → 1"),
        ({"prompt": "Hello", "chosen": " there", "rejected": " no"}, "2 learnt"),
        ({"prompt": "Hello"}, "0 learnt"),
        ({"text": "Hello there"}, "text → 1 texts"),
    ],
)
def test_show_tells_what_a_file_is(build, tmp_path, row, said):
    write_jsonl(tmp_path / "rows.jsonl", [row])
    out = StringIO()
    show(tmp_path / "rows.jsonl", build("bpe"), console=Console(file=out, width=200))
    assert said in out.getvalue()
    assert "rows.jsonl:1" in out.getvalue()
    assert "<|bos|>" in out.getvalue()
