"""Clean data from the playground, and every kind of fault put into it at known rows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from baro.playground import export

Row = dict[str, Any]
PLACES = (7, 31, 58)  # rows that are spoilt
SIZE = 900


def clean(folder: Path) -> dict[str, list[Row]]:
    """Rows of every kind, free of faults: instruct, pairs (as often longer as shorter), prompts, text, judged, held."""
    sizes = {"documents": 400, "instructions": 600, "preferences": 2400, "prompts": 300, "eval_prompts": 60}
    export(folder, seed=3, **sizes)

    def rows(name: str) -> list[Row]:
        return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]

    pairs: list[Row] = []
    seen = set()
    longer = 0
    for row in rows("preferences"):
        key, gap = row["prompt"][0]["content"], len(row["chosen"][0]["content"]) - len(row["rejected"][0]["content"])
        if key not in seen and not (gap > 0 and longer > 2) and not (gap < 0 and longer < -2):
            seen.add(key)
            longer += (gap > 0) - (gap < 0)
            pairs.append(row)
    judged = [
        {"prompt": row["prompt"], "completion": row["chosen" if place % 2 else "rejected"], "label": bool(place % 2)}
        for place, row in enumerate(pairs[:200])
    ]
    names = {"instruct": "instruct", "prompts": "prompts", "text": "text", "held": "instruct_heldout"}
    return {mine: rows(name) for mine, name in names.items()} | {"pairs": pairs, "judged": judged}


class Fault(NamedTuple):
    """One kind of fault.

    Attributes:
        check: the check that must find it.
        of: the clean rows it is put into.
        spoil: a row → the spoilt row; or the line itself, as bytes.
        places: where it must be found; None: in the file as a whole.
        label: told apart from others of the same check.
    """

    check: str
    of: str
    spoil: Callable[[Row], Row | bytes]
    places: tuple[int, ...] | None = PLACES
    label: str = ""


def put(**columns: Any) -> Callable[[Row], Row]:
    """Replaces columns; what is callable gets the old value."""
    return lambda row: row | {n: v(row.get(n)) if callable(v) else v for n, v in columns.items()}


def without(name: str) -> Callable[[Row], Row]:
    return lambda row: {key: value for key, value in row.items() if key != name}


def turns(*pairs: tuple[str, str]) -> Callable[[Row], Row]:
    """Another conversation in the place of the row's."""
    return lambda row: {"messages": [{"role": role, "content": text} for role, text in pairs]}


def behind(text: str) -> Callable[[Any], str]:
    return lambda old: f"{old}{text}"


def side(name: str, text: str | Callable[[str], str]) -> Callable[[Row], Row]:
    """Another text in an answer of a pair."""

    def spoil(row: Row) -> Row:
        old = row[name][0]["content"]
        return row | {name: [{"role": "assistant", "content": text(old) if callable(text) else text}]}

    return spoil


def line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def mangled(text: str) -> str:
    """UTF-8 read as cp1252."""
    return text.encode().decode("cp1252")


LONG = (
    "One morning the carpenter of the village took his tools, walked along the river to the mill, mended the old "
    "wheel, talked with the miller about wheat and weather, ate bread with cheese under the lime tree, and walked home "
    "before the rain came over the hills and the bells of the church rang for the evening."
)

FAULTS = [
    # --- the row itself
    Fault("unreadable-row", "instruct", lambda row: line(row)[:-5].encode(), label="broken off"),
    Fault("unreadable-row", "instruct", lambda row: line(row | {"output": "좋아요"}).encode("cp949"), label="cp949"),
    Fault("unreadable-row", "text", lambda row: b'["a", "b"]', label="a list"),
    Fault("duplicate-key", "instruct", lambda row: (line(row)[:-1] + ', "output": "Other."}').encode()),
    Fault("missing-column", "instruct", without("output")),
    Fault("missing-column", "pairs", without("rejected"), label="no rejected"),
    Fault("extra-key", "instruct", put(example_input="x"), places=(31,)),
    Fault("missing-key", "instruct", without("kind"), places=(31,)),
    Fault("wrong-type", "instruct", put(output=42), label="a number"),
    Fault("wrong-type", "instruct", put(output=["a"]), label="a list"),
    Fault("wrong-type", "text", put(text={"a": 1}), label="an object"),
    Fault("empty-answer", "instruct", put(output="")),
    Fault("empty-answer", "instruct", put(output=" \n"), label="blanks"),
    Fault("empty-answer", "instruct", put(output=None), label="null"),
    Fault("empty-answer", "pairs", side("chosen", ""), label="chosen"),
    Fault("empty-rejected", "pairs", side("rejected", "")),
    Fault("empty-prompt", "instruct", put(instruction="", input="")),
    Fault("empty-prompt", "prompts", put(prompt=[{"role": "user", "content": " "}]), label="prompts"),
    Fault("empty-text", "text", put(text="  ")),
    Fault("placeholder", "instruct", put(input="<noinput>")),
    Fault("placeholder", "instruct", put(output="N/A"), label="answer"),
    Fault("unfilled-blank", "instruct", put(output="Dear [Your Name], thank you.")),
    Fault("null-value", "instruct", put(kind=None)),
    Fault("stray-label", "instruct", put(kind=behind("  ")), label="blanks"),
    Fault("bad-margin", "pairs", put(margin=float("nan"))),
    Fault("negative-margin", "pairs", put(margin=-1.5)),
    Fault("bad-label", "judged", put(label="yes")),
    Fault("lone-surrogate", "instruct", lambda row: json.dumps(row | {"output": "\ud83d!"}).encode()),
    # --- turns
    Fault("unknown-role", "instruct", turns(("user", "Hello?"), ("robot", "Hi."))),
    Fault("no-answer", "instruct", lambda row: {"messages": []} | turns(("user", "Who is there?"))(row), label="turns"),
    Fault(
        "turn-order", "instruct", turns(("assistant", "Good day, what is it?"), ("user", "Bye."), ("assistant", "So."))
    ),
    Fault("repeated-speaker", "instruct", turns(("user", "Hello there."), ("user", "Anyone?"), ("assistant", "Yes."))),
    Fault(
        "late-system", "instruct", turns(("user", "Hi there."), ("system", "Be kind."), ("assistant", "Yes, hello."))
    ),
    Fault("unanswered-end", "instruct", turns(("user", "Hey you."), ("assistant", "Yes?"), ("user", "Never mind."))),
    # --- answers
    Fault(
        "runaway-answer", "instruct", put(output=behind("\n\n### Instruction:\nName a river.\n### Response:\nNile."))
    ),
    Fault("runaway-answer", "instruct", put(output=behind("\nInput: a\nOutput: b\nInput: c\nOutput: d")), label="form"),
    Fault("runaway-answer", "instruct", put(output=behind("\n### 지시: 강을 하나 말하세요.")), label="ko"),
    Fault("merged-turns", "instruct", put(output=behind("\n\nHuman: And then?\n\nAssistant: Nothing."))),
    Fault("merged-rows", "instruct", put(output=behind('"}, {"instruction": "Name one.", "output": "Two'))),
    Fault("template-marks", "instruct", put(output=behind("<|im_end|>\n<|im_start|>user"))),
    Fault("template-marks", "instruct", put(instruction=behind(" [INST] more [/INST]")), label="llama"),
    Fault(
        "echo",
        "instruct",
        lambda r: (
            r
            | {
                "input": "",
                "instruction": r["instruction"] + " Please answer me.",
                "output": r["instruction"] + " Please answer me. So.",
            }
        ),
    ),
    Fault("boilerplate", "instruct", put(output="As an AI language model, I have no opinion.")),
    Fault("loop", "instruct", put(output="the cat sat on the mat and " * 20)),
    Fault("open-code", "instruct", put(output="Here it is:\n```python\nprint(1)\n")),
    # --- letters
    Fault("control-character", "instruct", put(output=behind("\x07"))),
    Fault("invisible-character", "instruct", put(output=behind("\u200bwell"))),
    Fault("invisible-character", "text", put(text=lambda old: "\ufeff" + old), label="BOM within"),
    Fault("replacement-character", "instruct", put(output=behind(" caf\ufffd"))),
    Fault("mojibake", "text", put(text=behind(mangled(" A café in Málaga’s harbour."))), label="within"),
    Fault("mojibake", "instruct", put(output=mangled("Très bien, déjà vu.")), label="whole"),
    Fault("decomposed-letters", "text", put(text=behind(" \u1112\u1161\u11ab\u1100\u1173\u11af"))),
    Fault("carriage-return", "instruct", put(output=behind("\r\nYes."))),
    Fault("markup", "instruct", put(output=lambda old: f"<p>{old}</p>&nbsp;")),
    Fault("escaped-newline", "instruct", put(output="First.\\nSecond.\\n- Third.")),
    Fault("personal-email", "instruct", put(output=behind(" Write to jane.doe@gmail.com."))),
    Fault("personal-phone", "instruct", put(output=behind(" Call 010-2345-6789."))),
    Fault("personal-phone", "instruct", put(output=behind(" Call +1 212 664 7665.")), label="US"),
    Fault("personal-resident-number", "instruct", put(output=behind(" 900101-1234567"))),
    Fault("personal-card", "instruct", put(output=behind(" 4111 1111 1111 1111"))),
    Fault("secret-key", "instruct", put(output=behind(" hf_abcdefghijklmnopqrstuvwxyz"))),
    Fault("other-language", "text", put(text="오늘은 날씨가 참 좋아서 강가를 따라 오래 걸었다.")),
    # --- pairs
    Fault("chosen-equals-rejected", "pairs", lambda row: row | {"rejected": row["chosen"]}),
    Fault("prompts-differ", "strings", put(rejected=lambda old: old.replace("Human: ", "Human: Well, "))),
]


def spoilt(rows: list[Row], fault: Fault, path: Path) -> Path:
    """The rows as a file, those at the fault's places spoilt."""
    lines = [line(row).encode() for row in rows]
    for place in fault.places or ():
        changed = fault.spoil(copy.deepcopy(rows[place]))
        lines[place] = changed if isinstance(changed, bytes) else line(changed).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def implicit(pairs: list[Row]) -> list[Row]:
    """Pairs whose prompts stand in both answers."""
    return [{name: row["prompt"] + row[name] for name in ("chosen", "rejected")} for row in pairs]


def strings(pairs: list[Row]) -> list[Row]:
    """Pairs as whole dialogues written in one string, as in hh-rlhf."""
    head = "\n\nHuman: {}\n\nAssistant: {}"
    sides = ("chosen", "rejected")
    return [{n: head.format(row["prompt"][0]["content"], row[n][0]["content"]) for n in sides} for row in pairs]
