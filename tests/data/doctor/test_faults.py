"""Every kind of fault is found at its rows, and nothing is found in clean data."""

import gzip
import json
import random
from pathlib import Path

import faults
import numpy as np
import pytest
from faults import FAULTS, LONG, PLACES, spoilt

from baro.data.dialects import FORMATS
from baro.data.doctor import tell
from baro.data.doctor.duplicates import KEPT, jaccard
from baro.data.doctor.examine import examine
from baro.data.doctor.registry import SEVERITY, Setting
from baro.data.doctor.words import words


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    found = faults.clean(tmp_path_factory.mktemp("clean"))
    return found | {"implicit": faults.implicit(found["pairs"]), "strings": faults.strings(found["pairs"])}


@pytest.fixture
def written(tmp_path):
    def write(rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def found(report):
    return {finding.check: list(finding.rows) for finding in report.findings}


@pytest.mark.parametrize("kind", ["instruct", "pairs", "implicit", "strings", "prompts", "text", "judged", "held"])
def test_clean_data_is_clean(rows, written, kind, build):
    held = () if kind == "held" else (written(rows["held"], "held.jsonl"),)
    setting = Setting(tokenizer=build("bpe"), max_length=10_000, held_out=held, tokenised=40)
    report = examine(written(rows[kind]), setting)
    told = found(report)
    told.pop("unknown-token", None)  # a tokenizer of 400 tokens, trained on something else
    if len(rows[kind]) < 783:
        told.pop("few-pairs", None)
    assert told == {}
    assert report.files[0].rows == len(rows[kind])


@pytest.mark.incident("T18")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check} {fault.label}".strip())
def test_a_planted_fault_is_found_at_its_rows(rows, tmp_path, fault):
    told = found(examine(spoilt(rows[fault.of], fault, tmp_path / "rows.jsonl")))
    assert told.get(fault.check) == list(fault.places)
    severity = {SEVERITY[check] for check in told} - {SEVERITY[fault.check]}
    assert "error" not in severity, told  # a small fault is not told as a large one


def test_at_least_forty_kinds_are_planted():
    assert len({fault.check for fault in FAULTS}) >= 40


# --- faults of a file as a whole -------------------------------------------------------------------------------------


def test_exact_duplicates(rows, written):
    told = found(examine(written([*rows["instruct"], rows["instruct"][5], rows["instruct"][9]])))
    assert told == {"exact-duplicate": [len(rows["instruct"]), len(rows["instruct"]) + 1]}


def test_near_duplicates(rows, written):
    more = [
        {"text": LONG},
        {"text": LONG.replace("carpenter", "smith")},
        {"text": LONG.replace("miller", "maid") + " So."},
    ]
    shouted = {"text": rows["text"][3]["text"].upper().rstrip(".")}
    size = len(rows["text"])
    assert found(examine(written([*rows["text"], *more, shouted]))) == {
        "near-duplicate": [size + 1, size + 2, size + 3]
    }


def test_texts_that_differ_in_a_number_are_no_near_duplicates(written):
    texts = [{"text": LONG.replace("village", f"village number {number}")} for number in range(30)]
    assert found(examine(written(texts))) == {}


def test_very_long_texts_are_compared_in_little_memory():
    """The estimate from the smallest hashes is near the true share; below that size it is the true share."""
    draw = np.random.default_rng(0)
    for size in (100, 50_000):
        pool = np.unique(draw.integers(0, 1 << 32, size * 2, dtype=np.uint32))
        draw.shuffle(pool)
        first, second = np.sort(pool[: int(size * 1.2)]), np.sort(pool[int(size * 0.1) : int(size * 1.3)])
        found = jaccard(first[:KEPT], second[:KEPT])
        assert found == pytest.approx(1.1 / 1.3, abs=1e-9 if size == 100 else 0.05)


def test_several_answers(rows, written):
    other = rows["instruct"][5] | {"output": "Nobody knows."}
    told = found(examine(written([*rows["instruct"], other])))
    assert told == {"several-answers": [5, len(rows["instruct"])]}


def test_one_answer_to_many_questions(rows, written):
    lazy = [row | {"output": "I am sorry, I cannot help with that."} for row in rows["instruct"][:30]]
    assert found(examine(written([*lazy, *rows["instruct"][30:]])))["frequent-answer"] == list(range(30))


def test_labels_in_conflict(rows, written):
    first = rows["pairs"][4]
    mirror = first | {"chosen": first["rejected"], "rejected": first["chosen"]}
    told = found(examine(written([*rows["pairs"], mirror])))
    assert told["label-conflict"] == [4, len(rows["pairs"])]
    both = rows["judged"][6] | {"label": not rows["judged"][6]["label"]}
    assert found(examine(written([*rows["judged"], both])))["label-conflict"] == [6, len(rows["judged"])]


def test_length_bias(rows, written):
    longer = [faults.side("chosen", lambda old: old + " Thank you very much.")(row) for row in rows["pairs"]]
    assert "length-bias" in found(examine(written(longer)))


def test_too_few_pairs(rows, written):
    report = examine(written(rows["pairs"][:200]))
    assert found(report) == {"few-pairs": []}
    assert "needs 783" in report.findings[0].example


def test_one_label(rows, written):
    assert "one-label" in found(examine(written([row | {"label": True} for row in rows["judged"]])))


def test_a_lopsided_column(rows, written):
    marked = [row | {"safe": "no" if place % 50 == 0 else "yes"} for place, row in enumerate(rows["text"])]
    assert "lopsided-label" in found(examine(written(marked)))


def test_mixed_languages(rows, written):
    korean = [{"text": f"오늘은 {word}을 들고 강가를 오래 걸었다."} for word in map(str, range(60))]
    assert "mixed-languages" in found(examine(written([*rows["text"][:100], *korean])))


def test_sentences_cut_off(rows, written):
    full = "The mill by the old river has been closed since the spring of the year before."
    cut = [
        row | {"output": full[: 60 if place in PLACES else None].rstrip() + (" and" if place in PLACES else "")}
        for place, row in enumerate(rows["instruct"])
    ]
    assert found(examine(written(cut)))["cut-off"] == list(PLACES)


@pytest.mark.parametrize("kind", ["instruct", "prompts"])
def test_questions_of_the_evaluation(rows, written, kind):
    held = written(rows["held"], "held.jsonl")
    leaked = list(rows[kind])
    asked = rows["held"][2]["instruction"] + ("\n\n" + rows["held"][2]["input"] if rows["held"][2]["input"] else "")
    for place in PLACES:
        leaked[place] = {"instruction": asked.upper(), "input": "", "output": f"{place}.", "kind": "fact"}
        if kind == "prompts":
            leaked[place] = rows[kind][place] | {"prompt": [{"role": "user", "content": asked}]}
    assert found(examine(written(leaked), Setting(held_out=(held,))))["held-out-prompt"] == list(PLACES)


def test_an_evaluation_question_within_a_longer_text(rows, written):
    held = written([{"prompt": LONG}], "held.jsonl")
    texts = list(rows["text"])
    texts[31] = {"text": "It was told like this. " + LONG + " And that was that."}
    assert found(examine(written(texts), Setting(held_out=(held,)))) == {"held-out-overlap": [31]}


def test_columns_of_no_format(written):
    rows = [{"alpha": "one", "beta": str(n)} for n in range(10)]
    report = examine(written(rows))
    assert found(report)["unknown-format"] == list(range(10))
    assert report.errors


def test_a_file_that_breaks_off(tmp_path):
    draw = random.Random(0)
    lines = (json.dumps({"text": "".join(draw.choices("bcdfghjklm aeiou", k=500))}) + "\n" for _ in range(900))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0)[:-9000])
    report = examine(tmp_path / "a.jsonl.gz")
    assert found(report) == {"unreadable-file": []}
    assert report.errors


# --- with a tokenizer ------------------------------------------------------------------------------------------------


@pytest.mark.incident("T20")
def test_rows_that_are_cut_and_what_is_lost(rows, written, build):
    long = [
        row | {"output": "well " * 400 + f"{place}."} if place in PLACES else row
        for place, row in enumerate(rows["instruct"])
    ]
    long[80] = long[80] | {"instruction": "why " * 600}
    report = examine(written(long), Setting(tokenizer=build("bpe"), max_length=300))
    told = found(report)
    assert told["truncated"] == list(PLACES)
    assert told["nothing-learnt"] == [80]
    assert "are lost, of them" in next(f.example for f in report.findings if f.check == "truncated")


@pytest.mark.incident("T14")
@pytest.mark.incident("T16")
@pytest.mark.incident("T17")
@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("chatml pad=eos", "pad-is-eos"),
        ("chatml eos=endoftext", "end-is-not-eos"),
        ("endless", "no-end-token"),
    ],
)
def test_what_a_tokenizer_brings(rows, written, build, name, check):
    assert check in found(examine(written(rows["instruct"][:30]), Setting(tokenizer=build(name), max_length=10_000)))


@pytest.mark.incident("T16")
@pytest.mark.incident("T17")
def test_ends_and_beginnings_written_twice_in_plain_strings(rows, written, build):
    plain = [{"prompt": f"Q: {n}?\nA:", "completion": f" {n}."} for n in range(40)]
    plain[7] = {"prompt": "<s><s>Q: 7?\nA:", "completion": " 7."}
    plain[9] = {"prompt": "Q: 9?\nA:", "completion": " 9.</s></s>"}
    told = found(examine(written(plain), Setting(tokenizer=build("zephyr"), max_length=10_000)))
    assert told["double-bos"] == [7]
    assert told["double-end"] == [9]


@pytest.mark.incident("T16")
def test_a_template_that_begins_twice(rows, written, build):
    tokenizer = build("llama3", fresh=True)
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    told = found(examine(written(rows["instruct"][:30]), Setting(tokenizer=tokenizer, max_length=10_000)))
    assert told["double-bos"] == list(range(30))


def test_a_template_that_refuses(rows, written, build):
    asked = list(rows["instruct"][:50])
    asked[7] = asked[7] | {"system": "Be kind."}
    told = found(examine(written(asked), Setting(tokenizer=build("gemma"), max_length=10_000)))
    assert told["template-refuses"] == [7]


@pytest.mark.incident("T23")
def test_a_template_that_drops_a_turn_or_is_served_otherwise(rows, written, build):
    tokenizer = build("chatml", fresh=True)
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}"
    )
    asked = list(rows["instruct"][:50])
    asked[7] = asked[7] | {"system": "Speak like a pirate, always."}
    assert found(examine(written(asked), Setting(tokenizer=tokenizer, max_length=10_000)))["template-drops"] == [7]


def test_special_tokens_in_a_text(rows, written, build):
    asked = list(rows["instruct"][:50])
    asked[7] = asked[7] | {"instruction": "What does <|end|> mean?"}
    told = found(examine(written(asked), Setting(tokenizer=build("bpe"), max_length=10_000)))
    assert told["special-in-text"] == [7]


# --- what is told ----------------------------------------------------------------------------------------------------


def test_every_check_is_explained_in_both_languages():
    known = words()
    assert set(known) == set(SEVERITY)
    for name, word in known.items():
        assert all((word.en, word.ko, word.harm_en, word.harm_ko)), name
        assert any("가" <= letter <= "힣" for letter in word.ko + word.harm_ko), name


def test_json_holds_every_row(rows, tmp_path):
    path = spoilt(rows["instruct"], FAULTS[0], tmp_path / "rows.jsonl")
    tell.write_json(examine(path), tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    (finding,) = told["findings"]
    assert (finding["check"], finding["severity"], finding["rows"]) == ("unreadable-row", "error", list(PLACES))
    assert finding["where"] == f"{path}:{PLACES[0] + 1}"
    assert told["errors"] == len(PLACES)


def test_rows_that_are_left_out_are_warnings(rows, tmp_path):
    report = examine(spoilt(rows["instruct"], FAULTS[0], tmp_path / "rows.jsonl"), lenient=True)
    assert report.errors == []
    assert found(report) == {"unreadable-row": list(PLACES)}


def test_a_bounded_look(rows, written):
    report = examine(written(rows["instruct"]), max_rows=100)
    assert (report.files[0].rows, report.files[0].complete) == (100, False)
    short = examine(written(rows["instruct"]), max_letters=1_000).files[0]
    assert 0 < short.rows < 50
    assert not short.complete
    assert tell.verdict(report) == "nothing wrong in the first 100 rows"


@pytest.mark.parametrize("page", ["data.md", "data.ko.md"])
def test_every_check_and_format_is_documented(page):
    text = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
    for name, severity in SEVERITY.items():
        assert f"| {f'**`{name}`**' if severity == 'error' else f'`{name}`'} |" in text
    assert [name for name in FORMATS if f"| `{name}` |" not in text] == []
