"""Files under wrong names, packed otherwise than said, saved by datasets, or with no end of a line."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baro.core.errors import ConfigError, DataError
from baro.data import hub, row
from baro.data.files import find, rows_of
from baro.data.read import read_dialogues, read_judgements, read_preferences, read_prompts, read_texts
from baro.data.weights import Mixture

ROWS = [{"a": "1", "b": "한글"}, {"a": "2", "b": "x"}]
LINES = "\n".join(json.dumps(each, ensure_ascii=False) for each in ROWS).encode()
TABLE = "a,b\n1,한글\n2,x\n".encode()


def zst(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", LINES, "a.csv is JSON lines, and is read so"),
        ("a.jsonl", TABLE, "a.jsonl is CSV, and is read so"),
        ("a.csv", TABLE.replace(b",", b"\t"), "a.csv is TSV, and is read so"),
        ("a.tsv", TABLE, "a.tsv is CSV, and is read so"),
        ("a.csv", TABLE.replace(b",", b";"), "a.csv is CSV with semicolons, and is read so"),
        ("a.jsonl", json.dumps(ROWS).encode(), "a.jsonl is a JSON array, and is read so"),
        ("a.json", json.dumps(ROWS).encode(), ""),
        ("a.txt", LINES, "a.txt is JSON lines, and is read so"),
        ("a.data", LINES, "a.data is JSON lines, and is read so"),
        ("a.jsonl", gzip.compress(LINES, mtime=0), "a.jsonl is packed with gzip, and is read so"),
        ("a.jsonl.gz", LINES, "a.jsonl.gz is not packed with gzip, and is read so"),
        ("a.jsonl.gz", zst(LINES), "a.jsonl.gz is packed with zstd, and is read so"),
        ("a.jsonl.zst", zst(LINES), ""),
        ("a.csv.zst", zst(b"\xef\xbb\xbf" + TABLE.replace(b"\n", b"\r\n")), ""),
    ],
)
def test_the_bytes_tell(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert find(tmp_path / name) == [tmp_path / name]
    assert [each.columns for each in rows_of(tmp_path / name)] == ROWS
    found = read_texts(tmp_path / name, columns={"text": "b"}).description
    assert found == "text → 2 texts" + (f"; {said}" if said else "")


def test_parquet_under_another_name(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.jsonl")
    assert [each.columns for each in rows_of(tmp_path / "a.jsonl")] == ROWS


@pytest.mark.parametrize("stream", [True, False])
def test_folders_that_datasets_saved(tmp_path, stream):
    for split in ("train", "test"):
        folder = tmp_path / split
        folder.mkdir()
        table = pa.Table.from_pylist([each | {"split": split} for each in ROWS])
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        with new(folder / "data-00000-of-00001.arrow", table.schema) as writer:
            writer.write_table(table)
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
        (folder / "dataset_info.json").write_text("{}")
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    for path, split in ((tmp_path, "train"), (tmp_path / "test", "test")):
        (file,) = find(path)
        assert [each.columns["split"] for each in rows_of(file)] == [split, split]


def test_a_folder_of_folders(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_bytes(LINES)
    assert find(tmp_path) == [tmp_path / "data" / "a.jsonl"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "the file is a zip archive or an Excel workbook"),
        (b"%PDF-1.7", "the file is a PDF document"),
        ("a,b".encode("utf-16"), "the file is UTF-16"),
    ],
)
def test_what_is_told_and_not_read(tmp_path, content, said):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(rows_of(tmp_path / "a.csv"))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_a_row_without_end_is_refused(tmp_path, name, monkeypatch):
    for module in ("row", "jsonrows"):
        monkeypatch.setattr(f"baro.data.{module}.LONGEST", 1 << 16)
    start = {"a.json": b'[{"a": "1"}, {"a": "', "a.csv": b'a,b\n1,"', "a.txt": b""}.get(name, b'{"a": "')
    (tmp_path / name).write_bytes(start + b"x" * (3 << 20))
    with pytest.raises(DataError, match="the row is longer than"):
        list(rows_of(tmp_path / name))
    assert row.LONGEST == 1 << 16


@pytest.mark.parametrize("cut", [1, 9, -1])
def test_damaged_zstd(tmp_path, cut):
    (tmp_path / "a.jsonl.zst").write_bytes(zst(LINES * 50)[:-cut] if cut > 0 else b"not zstd at all")
    with pytest.raises(DataError, match=r"a\.jsonl\.zst: the zstd file is damaged"):
        list(rows_of(tmp_path / "a.jsonl.zst"))


def test_arrays_are_read_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("baro.data.jsonrows.PIECE", 7)
    rows = [{"a": "1" * size, "b": "한]}," * (size % 5)} for size in range(40)]
    (tmp_path / "a.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    assert [each.columns for each in rows_of(tmp_path / "a.json")] == rows
    (tmp_path / "a.json").write_text("[ ]")
    assert list(rows_of(tmp_path / "a.json")) == []


# --- other tools' rows -----------------------------------------------------------------------------------------------

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "answer": "a"}, "question read as instruction, answer read as output"),
        ({"Q": "q", "A": "a", "label": "0"}, "Q read as instruction, A read as output"),
        ({"query": "q", "response": "a"}, "query read as instruction, response read as output"),
        ({"prompt": "q", "response": "a"}, "prompt read as instruction"),
        ({"input": "q", "output": "a"}, "input read as instruction"),
        ({"instruction": "q", "instances": [{"input": "", "output": "a"}]}, "self-instruct"),
    ],
)
def test_dialects_of_conversations(tmp_path, row, said):
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    found = read_dialogues(tmp_path / "a.jsonl")
    assert [message.content for message in found.rows[0].messages] == ["q", "a"]
    assert said in found.description


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS, "rejected_response": "b"},
        {"messages": TURNS, "rejected_messages": [TURNS[0], {"role": "assistant", "content": "b"}]},
        {"context": TURNS[:1], "completions": [{"rank": 0, "completion": TURNS[1:]}, {"rank": 1, "completion": "b"}]},
        {"query": "q", "chosen": "a", "rejected": "b"},
    ],
)
def test_dialects_of_preferences(tmp_path, row):
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    (found,) = read_preferences(tmp_path / "a.jsonl").rows
    assert [side[0].content for side in (found.prompt, found.chosen, found.rejected)] == ["q", "a", "b"]


def test_judgements(tmp_path):
    rows = [{"prompt": "q", "completion": "a", "label": True}, {"instruction": "q", "output": "b", "kto_tag": False}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [(each.completion[0].content, each.label) for each in read_judgements(tmp_path / "a.jsonl").rows] == [
        ("a", True),
        ("b", False),
    ]
    (tmp_path / "b.jsonl").write_text(json.dumps({"prompt": "q", "completion": "a", "label": False}))
    with pytest.raises(DataError, match="this answer was judged bad"):
        read_dialogues(tmp_path / "b.jsonl")


def test_questions_in_a_list(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"question_id": 1, "turns": ["q", "r"]}))
    (found,) = read_prompts(tmp_path / "a.jsonl").rows
    assert (found.messages[0].content, found.columns["later_turns"]) == ("q", ["r"])


def test_the_format_can_be_given(tmp_path):
    both = {"messages": TURNS, "instruction": "other", "output": "else"}
    (tmp_path / "a.jsonl").write_text(json.dumps(both))
    assert read_dialogues(tmp_path / "a.jsonl").rows[0].messages[0].content == "q"
    assert read_dialogues(tmp_path / "a.jsonl", format="alpaca").rows[0].messages[0].content == "other"
    with pytest.raises(DataError, match="the format sharegpt needs conversations"):
        read_dialogues(tmp_path / "a.jsonl", format="sharegpt")
    with pytest.raises(ConfigError, match="format is 'alpacca'; expected one of"):
        read_dialogues(tmp_path / "a.jsonl", format="alpacca")
    with pytest.raises(ConfigError, match="the format orca holds preferences"):
        read_dialogues(tmp_path / "a.jsonl", format="orca")


def test_names_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert [hub.is_name(name) for name in ("owner/name", "owner/name@test", "data/trian", "a/b.jsonl", "a/b/c")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    files = [tmp_path / "data" / f"{split}-0.parquet" for split in ("train", "test")]
    assert hub.of_split(files, tmp_path, "train") == files[:1]
    assert hub.of_split(files[1:], tmp_path, "train") == files[1:]


# --- mixtures --------------------------------------------------------------------------------------------------------


def test_weights_are_passes_over_each_source():
    sources = [[(source, row) for row in range(size)] for source, size in enumerate((4, 10, 3))]
    mixture = Mixture(sources, [2, 0.5, 0], seed=1)
    order = list(mixture)
    assert order[:8] == sources[0] * 2
    assert len(mixture) == len(order) == 8 + 5
    assert len(set(order[8:])) == 5
    assert order[8:] == sorted(order[8:])
    assert {source for source, _ in order[8:]} == {1}
    assert list(Mixture(sources, [2, 0.5, 0], seed=1)) == order != list(Mixture(sources, [2, 0.5, 0], seed=2))
