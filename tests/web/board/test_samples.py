"""Answers as they change over training: an index that grows with the file."""

import json
import os

from baro.web.board.samples import LONGEST, Samples


def lines(*rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def row(step: int, text: str) -> dict:
    return {"step": step, "prompt": [{"role": "user", "content": "질문?"}], "completions": [text], "rewards": [0.5]}


def test_each_update_has_its_answers_and_new_ones_come_in(tmp_path):
    path = tmp_path / "rollouts.jsonl"
    samples = Samples(path)
    assert samples.at(None) == {"steps": [], "counted": True, "step": None, "rows": []}
    path.write_text(lines(row(1, "하나"), row(1, "둘"), row(5, "셋")) + '{"step": 9, "pro')
    newest = samples.at(None)
    assert (newest["steps"], newest["step"], newest["counted"]) == ([1, 5], 5, True)
    assert newest["rows"] == [{"prompt": "질문?", "completions": ["셋"], "rewards": [0.5]}]
    assert [each["completions"] for each in samples.at(1)["rows"]] == [["하나"], ["둘"]]
    with path.open("a") as file:
        file.write(lines(row(9, "넷"))[len('{"step": 9, "pro') :])
    assert samples.at(None)["rows"][0]["completions"] == ["넷"]
    assert samples.at(1)["rows"][1]["completions"] == ["둘"]
    assert samples.at(4)["step"] == 9, "unknown: the newest"


def test_a_file_cut_back_by_a_resumed_run_is_indexed_anew(tmp_path):
    path, draft = tmp_path / "rollouts.jsonl", tmp_path / "draft"
    path.write_text(lines(row(1, "a"), row(2, "b")))
    samples = Samples(path)
    assert samples.at(None)["steps"] == [1, 2]
    draft.write_text(lines(row(1, "a")))
    os.replace(draft, path)
    assert samples.at(2)["steps"] == [1]


def test_answers_without_an_update_come_in_parts_and_talks_as_text(tmp_path):
    said = [{"role": "assistant", "content": "3"}, {"role": "user", "content": "No."}]
    path = tmp_path / "samples.jsonl"
    path.write_text(lines(*({"prompt": "p", "completions": [said, "x" * 9999]} for _ in range(6)), [1], {"a": 1}))
    found = Samples(path).at(0)
    assert (found["steps"], found["counted"], len(found["rows"])) == ([0, 1], False, 4)
    assert found["rows"][0]["completions"][0] == "assistant: 3\nuser: No."
    assert len(found["rows"][0]["completions"][1]) == LONGEST
    assert found["rows"][0]["rewards"] == []
