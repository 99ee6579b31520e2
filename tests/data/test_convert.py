"""Every format written as every other that can hold it, in every kind of file, and read again."""

import json

import pytest

from baro.core.errors import ConfigError, DataError
from baro.data.convert import convert
from baro.data.dialects import FORMATS, LAYOUTS
from baro.data.find import find
from baro.data.layouts import LAY_OUT
from baro.data.read import Way, records

U, A = {"role": "user", "content": "어디 가요?\n지금"}, {"role": "assistant", "content": 'To "the", mill.'}
B, S = {"role": "assistant", "content": "Home."}, {"role": "system", "content": "Be brief."}
H, G, R = ({"from": who, "value": said["content"]} for who, said in (("human", U), ("gpt", A), ("gpt", B)))
STRINGS = {"prompt": "Q: 2+2?\nA:", "chosen": " 4", "rejected": " 5"}
ROWS = {
    "text": [{"text": "하나, two\n\nthree"}, {"text": '"x"\ty'}],
    "alpaca": [
        {"instruction": "Say", "input": "a, b", "output": "c"},
        {"instruction": "q", "output": "a", "system": "s", "history": [["p", "r"]]},
    ],
    "messages": [{"messages": [S, U, A]}, {"messages": [U, A, U, B]}],
    "sharegpt": [{"conversations": [H, G]}],
    "prompt-completion": [{"prompt": "Q: 2+2?\nA:", "completion": " 4"}, {"prompt": [U], "completion": [A]}],
    "preference": [{"prompt": [S, U], "chosen": [A], "rejected": [B], "margin": 0.5}, STRINGS],
    "implicit-preference": [{"chosen": [U, A], "rejected": [U, B]}],
    "alpaca-preference": [{"instruction": "q", "input": "i", "chosen": "a", "rejected": "b"}],
    "sharegpt-preference": [{"conversations": [H], "chosen": G, "rejected": R}],
    "messages-preference": [{"messages": [U], "chosen": A, "rejected": B}],
    "orca": [{"system": "s", "question": "q", "chosen": "a", "rejected": "b"}],
    "hh": [{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}],
    "ms-swift": [{"messages": [U, A], "rejected_response": "Home."}],
    "nemo": [{"context": [U], "completions": [{"rank": 1, "completion": [B]}, {"rank": 0, "completion": [A]}]}],
    "kto": [{"prompt": "q", "completion": "a", "label": False}, {"prompt": [U], "completion": [A], "label": True}],
    "prompt": [{"prompt": "q", "keys": ["k"]}, {"prompt": [S, U], "keys": []}],
}


def bare(path, noun, format=None):
    """The records of a file without the places they come from."""
    found = list(records(Way(noun, format=format), [path]))
    assert not [each.problem for each in found if each.problem]
    kinds = []
    for each in found:
        kept = {name: getattr(each.record, name) for name in each.record.__slots__ if name not in ("where", "columns")}
        kinds.append((type(each.record).__name__, kept))
    return kinds


def test_every_format_is_tried():
    assert set(ROWS) == set(FORMATS) == set(LAY_OUT)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_round_trips(tmp_path, source, target):
    """What a format takes reads as the same record again; what it does not take is refused in a word."""
    noun = LAYOUTS[source].noun
    for number, row in enumerate(ROWS[source]):
        (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
        out = tmp_path / f"{number}.jsonl"
        try:
            convert(tmp_path / "a.jsonl", out, target)
        except DataError as error:
            assert source != target
            assert "holds" in str(error) or "cannot hold this row" in str(error)  # noqa: PT017
            assert not out.exists()
            continue
        if LAYOUTS[target].noun == noun:
            assert bare(out, noun) == bare(tmp_path / "a.jsonl", noun)
            convert(out, tmp_path / "back.jsonl", source)
            assert bare(tmp_path / "back.jsonl", noun) == bare(tmp_path / "a.jsonl", noun)


@pytest.mark.parametrize(
    ("source", "target"),
    [("alpaca", "messages"), ("messages", "sharegpt"), ("preference", "nemo"), ("sharegpt-preference", "ms-swift")],
)
def test_what_is_not_refused(tmp_path, source, target):
    (tmp_path / "a.jsonl").write_text(json.dumps(ROWS[source][0]), encoding="utf-8")
    convert(tmp_path / "a.jsonl", tmp_path / "b.jsonl", target)
    row = json.loads((tmp_path / "b.jsonl").read_text(encoding="utf-8"))
    assert set(LAYOUTS[target].needed) <= row.keys()


@pytest.mark.parametrize("name", ["b.jsonl", "b.json", "b.csv", "b.parquet", "b.jsonl.gz", "b.json.zst", "b.csv.gz"])
def test_kinds_of_files(tmp_path, name):
    rows = [{"instruction": f"q{n}, «x»\n", "input": "", "output": 'a "b"', "kind": "한글"} for n in range(1500)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert convert(tmp_path / "a.jsonl", tmp_path / name).startswith("1,500 rows written")
    assert bare(tmp_path / name, "conversations") == bare(tmp_path / "a.jsonl", "conversations")
    assert next(records(Way("conversations"), [tmp_path / name])).row.columns == rows[0]
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def test_pairs_become_two_judgements(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(STRINGS | {"id": 7}))
    convert(tmp_path / "a.jsonl", tmp_path / "b.jsonl", "kto")
    assert [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()] == [
        {"prompt": STRINGS["prompt"], "completion": " 4", "label": True, "id": 7},
        {"prompt": STRINGS["prompt"], "completion": " 5", "label": False, "id": 7},
    ]


def test_mojibake_is_mended_when_asked(tmp_path):
    bad = "Très bien, 한국어도 된다".encode().decode("latin-1")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": bad}), encoding="utf-8")
    convert(tmp_path / "a.jsonl", tmp_path / "b.jsonl", mend=True)
    assert json.loads((tmp_path / "b.jsonl").read_text(encoding="utf-8")) == {"text": "Très bien, 한국어도 된다"}
    convert(tmp_path / "a.jsonl", tmp_path / "c.jsonl")
    assert json.loads((tmp_path / "c.jsonl").read_text(encoding="utf-8")) == {"text": bad}


@pytest.mark.parametrize(
    ("row", "name", "format", "said"),
    [
        (ROWS["messages"][0], "b.csv", "messages", "messages of row 1 is a list, which CSV cannot hold"),
        (ROWS["text"][0], "b.tsv", None, "holds a tab or a line end, which TSV cannot hold"),
        (ROWS["text"][0], "b.doc", None, "expected a name that ends in"),
        (ROWS["text"][0], "b.jsonl", "alpaca", "the file holds texts; the format alpaca holds conversations"),
        ({"alpha": 1}, "b.jsonl", "alpaca", "the file holds columns of no format"),
        (ROWS["text"][0], "a.jsonl", None, "read and written at once"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, row, name, format, said):
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match=said):
        convert(tmp_path / "a.jsonl", tmp_path / name, format)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_an_unknown_format(tmp_path):
    with pytest.raises(ConfigError, match="format is 'alpacca'; expected one of text, alpaca"):
        convert(tmp_path, tmp_path / "b.jsonl", "alpacca")


def test_hub_names_are_not_paths():
    with pytest.raises(DataError, match=r"no/such/file: no such file"):
        find("no/such/file")
