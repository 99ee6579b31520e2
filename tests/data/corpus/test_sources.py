"""Files of every kind become documents, and what cannot be read is said."""

import gzip
import json

import pytest

from baro.core.errors import DataError
from baro.data.corpus.sources import documents, kind_of, main_text, sources

PAGE = """<html><head><title>T</title></head><body><nav><a href="/">Home</a> <a href="/x">Products</a></nav>
<article><h1>The harbour</h1>{}</article><footer>Copyright 2020 Example Ltd. All rights reserved.</footer>
</body></html>"""
PARAGRAPHS = "".join(
    f"<p>The {name} boat goes out before sunrise with nets and lamps, and it comes back when the bell rings.</p>"
    for name in ("red", "blue", "green", "old", "new")
)


def test_the_main_text_of_a_page_without_its_navigation():
    text = main_text(PAGE.format(PARAGRAPHS))
    assert text.count("boat goes out") == 5
    assert "Products" not in text
    assert "Copyright" not in text


def test_names_are_sorted_and_do_not_hold_the_folder(tmp_path):
    for name in ("b/two.txt", "a/one.html", "a/three.jsonl.gz", "a/picture.png", "a/.hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [name for name, _ in sources([tmp_path])] == ["a/one.html", "a/three.jsonl.gz", "b/two.txt"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.WARC.gz", "warc"), ("a.htm", "html"), ("a.parquet", "rows"), ("a.pdf", ""), ("a.txt.zst", "rows")],
)
def test_kinds(tmp_path, name, kind):
    assert kind_of(tmp_path / name) == kind


def test_rows_and_what_is_wrong_with_some(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"text": "one"}) + "\nnot json\n" + json.dumps({"body": "two"}) + "\n")
    found = list(documents(file, "rows.jsonl"))
    assert [(raw.where, raw.text, bool(raw.problem)) for raw in found] == [
        ("rows.jsonl:1", "one", False), ("rows.jsonl:2", "", True), ("rows.jsonl:3", "", True),
    ]  # fmt: skip
    assert "body" in found[2].problem
    assert [raw.text for raw in documents(file, "rows.jsonl", column="body")][2] == "two"


def test_a_web_archive(tmp_path):
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    file = tmp_path / "crawl.warc.gz"
    with file.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for kind, body in (("text/html", PAGE.format(PARAGRAPHS)), ("image/png", "x")):
            headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.0")
            import io

            writer.write_record(
                writer.create_warc_record(
                    "http://example.test/" + kind, "response", payload=io.BytesIO(body.encode()), http_headers=headers
                )
            )
    found = list(documents(file, "crawl.warc.gz"))
    assert len(found) == 1
    assert found[0].text.count("boat goes out") == 5
    assert "http://example.test/text/html" in found[0].where


def test_a_damaged_archive_is_one_error(tmp_path):
    file = tmp_path / "bad.warc"
    file.write_bytes(b"no archive at all\n" * 5)
    with pytest.raises(DataError, match="web archive cannot be read"):
        list(documents(file, "bad.warc"))


@pytest.mark.parametrize("name", ["none.txt", "picture.png", "empty"])
def test_paths_that_give_nothing_are_refused(tmp_path, name):
    (tmp_path / "picture.png").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        sources([tmp_path / name])


def test_packed_text(tmp_path):
    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(b"one\n\ntwo"))
    assert [raw.text for raw in documents(file, "a.txt.gz")] == ["one\n\ntwo"]
    assert [raw.text for raw in documents(file, "a.txt.gz", separate="blank")] == ["one", "two"]
