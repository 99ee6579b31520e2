"""Files as rows: every kind, the number of every row, and what is said when a file or a row is no good."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baro.core.errors import DataError
from baro.data.files import find, rows_of, write_jsonl

ROWS = [{"a": "1", "b": "한글"}, {"a": "x\u2028y", "b": ""}]


def read(path, **options):
    return [(row.number, row.columns or row.problem) for row in rows_of(path, **options)]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("gz", [False, True])
def test_jsonl_with_byte_order_marks_line_ends_and_gzip(tmp_path, bom, end, gz):
    lines = [json.dumps(ROWS[0]).encode(), b"", json.dumps(ROWS[1], ensure_ascii=False).encode(), b"  "]
    content = bom + end.join(lines)
    path = tmp_path / ("a.jsonl.gz" if gz else "a.jsonl")
    path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    assert read(path) == [(1, ROWS[0]), (3, ROWS[1])]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_json_arrays_whatever_the_name(tmp_path, name, bom):
    content = bom + b"\r\n " + json.dumps(ROWS, indent=2).encode()
    (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith("gz") else content)
    assert read(tmp_path / name) == [(1, ROWS[0]), (2, ROWS[1])]


def test_json_lines_under_the_name_json(tmp_path):
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, ROWS)))
    assert read(tmp_path / "a.json") == [(1, ROWS[0]), (2, ROWS[1])]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_csv_rows_are_numbered_by_their_first_line(tmp_path, end, bom):
    lines = ["a, b", '"one', 'two, ""three""",x', "", "4,한글", '5,"="']
    (tmp_path / "a.csv").write_bytes((bom + end.join(lines) + end).encode())
    want = [{"a": f'one{end}two, "three"', "b": "x"}, {"a": "4", "b": "한글"}, {"a": "5", "b": "="}]
    assert read(tmp_path / "a.csv") == list(zip([2, 5, 6], want, strict=True))


def test_tsv_has_no_quotes(tmp_path):
    (tmp_path / "a.tsv").write_text('a\tb\r\n"open\t1\r\nb "c" d\t"2"\r\n', newline="")
    assert read(tmp_path / "a.tsv") == [(2, {"a": '"open', "b": "1"}), (3, {"a": 'b "c" d', "b": '"2"'})]


def test_a_row_with_other_fields_than_the_header_is_a_bad_row_alone(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,2,3\n4,5\n6\n"7" x,8\n9,10\n11,"never closed\n12,13\n')
    rows = read(tmp_path / "a.csv")
    assert rows[0] == (2, "found 3 fields, expected 2 as in the header.")
    assert rows[1] == (3, {"a": "4", "b": "5"})
    assert rows[2] == (4, "found 1 fields, expected 2 as in the header.")
    assert "the row is not CSV" in rows[3][1]
    assert (6, {"a": "9", "b": "10"}) in rows
    assert rows[-1][0] == 7
    assert "the row is not CSV" in rows[-1][1]


def test_long_fields(tmp_path):
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200_000 + "\n")
    assert len(read(tmp_path / "a.csv")[0][1]["a"]) == 200_000


def test_parquet(tmp_path):
    rows = [{"a": "1", "turns": [{"role": "user", "content": "한글"}]}, {"a": None, "turns": []}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [(1, rows[0]), (2, rows[1])]


@pytest.mark.parametrize(
    ("separate", "want"),
    [
        ("blank", [(1, "one\ntwo"), (5, " three"), (8, "four")]),
        ("line", [(1, "one"), (2, "two"), (5, " three"), (8, "four")]),
        ("none", [(1, "one\ntwo\n\n\n three\n \t\n\nfour")]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text(tmp_path, separate, want, end):
    (tmp_path / "a.txt").write_bytes("\ufeffone\ntwo\n\n\n three\n \t\n\nfour".replace("\n", end).encode())
    rows = read(tmp_path / "a.txt", separate=separate)
    assert [(number, columns["text"]) for number, columns in rows] == want


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": 1,}', "the line is not JSON"),
        (b"[" * 100_000, "the line is not JSON (nested too deep)"),
        (b'["a"]', "found a list, expected an object with columns."),
        (b'"a"', "found a string, expected an object"),
        (b"null", "found nothing (null), expected an object"),
        ("{'a': '한글'}".encode("cp949"), "is not UTF-8; expected UTF-8."),
    ],
)
def test_a_bad_line_is_a_bad_row_alone(tmp_path, line, said):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    rows = read(tmp_path / "a.jsonl")
    assert rows[0] == (1, {"a": 1})
    assert rows[1][0] == 2
    assert said in rows[1][1]
    assert rows[2] == (3, {"a": 3})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"", "a.jsonl: the file is empty."),
        ("a.jsonl", b'{\n "a": 1\n}\n', "a.jsonl:1: the file is one JSON object over several lines"),
        ("a.json", b'[{"a": 1},\n{"a": 2]', "a.json:2: the file begins as a JSON array and is not one"),
        ("a.json", '[\n{"a": "한"}]'.encode("cp949"), "a.json:2: byte 0xc7 is not UTF-8"),
        ("a.jsonl", '{"a": 1}'.encode("utf-16"), "a.jsonl: the file is UTF-16; expected UTF-8."),
        ("a.csv", b"a,b,a\n1,2,3\n", "a.csv:1: the header names a column twice: a, b, a."),
        ("a.txt", "one\n둘".encode("cp949"), "a.txt:2: byte 0x"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-20], "a.jsonl.gz: the gzip file is damaged"),
        ("a.jsonl.gz", b"not gzip at all", "a.jsonl.gz: the gzip file is damaged"),
        ("a.parquet", b"PAR1 not really", "a.parquet: the Parquet file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        list(rows_of(tmp_path / name))
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(said)


# --- which files -----------------------------------------------------------------------------------------------------


def test_paths_globs_and_directories(tmp_path):
    for name in ("b.jsonl", "a.csv", "c.json.gz", "d.md", "sub/e.jsonl", "f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    names = lambda paths, **options: [path.name for path in find(paths, **options)]  # noqa: E731
    assert names(tmp_path) == ["a.csv", "b.jsonl", "c.json.gz"]
    assert names(str(tmp_path), text=True) == ["a.csv", "b.jsonl", "c.json.gz", "f.txt"]
    assert names(str(tmp_path / "*.jsonl")) == ["b.jsonl"]
    assert names(str(tmp_path / "**" / "*.jsonl")) == ["b.jsonl", "e.jsonl"]
    assert names([tmp_path / "b.jsonl", str(tmp_path / "a.*")]) == ["b.jsonl", "a.csv"]


def test_all_missing_files_are_named_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    paths = [tmp_path / name for name in ("no.jsonl", "neither.csv", "*.parquet", "empty", "a.md", "a.txt")]
    with pytest.raises(DataError) as error:
        find(paths)
    for said in (
        "no.jsonl: no such file",
        "neither.csv: no such file",
        "*.parquet: no file matches",
        "empty: the directory holds no file",
        "a.md: found a .md file, expected .jsonl",
        "a.txt: found a .txt file",
    ):
        assert said in str(error.value)
    with pytest.raises(DataError, match="no file was named"):
        find([])


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new/a.jsonl", "a.jsonl.gz"])
def test_what_is_written_is_read(tmp_path, name):
    assert write_jsonl(tmp_path / name, iter(ROWS)) == 2
    assert read(tmp_path / name) == [(1, ROWS[0]), (2, ROWS[1])]
    assert write_jsonl(tmp_path / name, ROWS[:1]) == 1
    assert read(tmp_path / name) == [(1, ROWS[0])]
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [(tmp_path / name).name]


def test_korean_is_written_as_korean(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"a": "한글"}])
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == '{"a": "한글"}\n'


def test_a_file_is_replaced_only_by_a_complete_one(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ROWS)

    def breaking():
        yield {"a": "new"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_jsonl(tmp_path / "a.jsonl", breaking())
    assert len(read(tmp_path / "a.jsonl")) == 2
