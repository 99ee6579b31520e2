"""A report as one page that needs nothing else: English and Korean, light and dark, tokens in colour."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.doctor.examine import Report
from baro.data.doctor.stretch import Finding
from baro.data.doctor.tokens import rendered
from baro.data.doctor.words import words

ROWS, MOST = 200, 600  # rows named, tokens shown
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


class Shown(NamedTuple):
    """A row as it is learnt: what for, where, and its pieces with True for what is learnt."""

    check: str
    where: str
    side: str
    pieces: list[tuple[str, bool]]
    tokens: int
    learnt: int
    cut: bool


def write_page(report: Report, path: Path, tokenizer: Any = None, max_length: int = 1024) -> None:
    """Writes the page; without a tokenizer rows are shown by letters instead of tokens."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template, style, script = (_asset(name) for name in ("page.html.j2", "page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(template).render(
        style=Markup(style),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        report=report,
        words=words(),
        visible=visible,
        rows=_rows,
        shown=list(_shown(report, tokenizer, max_length)),
        by_tokens=tokenizer is not None,
        total=sum(file.rows for file in report.files),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "replace"))


def _asset(name: str) -> str:
    return (resources.files("baro.data.doctor") / name).read_text(encoding="utf-8")


def visible(text: str) -> str:
    """Characters that would not be seen, as ⟨U+200B⟩."""
    return HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def _rows(finding: Finding) -> str:
    named = ", ".join(f"{place:,}" for place in finding.rows[:ROWS])
    return named + (f", … (+{len(finding.rows) - ROWS:,})" if len(finding.rows) > ROWS else "")


def _shown(report: Report, tokenizer: Any, limit: int) -> Iterator[Shown]:
    seen: set[tuple[str, str]] = set()
    for check, where, noun, record in report.shown:
        if (check, where) in seen:
            continue
        seen.add((check, where))
        names = ("chosen", "rejected") if noun == "preferences" else ("",)
        if tokenizer is None:
            sides: list[list[tuple[str, bool]]] = [list(_letters(record, name)) for name in names]
            for name, pieces in zip(names, sides, strict=True):
                yield Shown(check, where, name, pieces, 0, 0, False)
            continue
        try:
            sequences = rendered(tokenizer, noun, [record])[0]
        except DataError:
            continue  # told among the findings
        for name, sequence in zip(names, sequences, strict=True):
            kept = list(zip(sequence.tokens, sequence.learn, strict=True))[: min(limit, MOST)]
            whole = len(sequence.tokens)
            yield Shown(check, where, name, _tokens(tokenizer, kept), whole, sequence.count, len(kept) < whole)


def _tokens(tokenizer: Any, kept: list[tuple[int, bool]]) -> list[tuple[str, bool]]:
    """One piece per token, but for those that are only together a letter."""
    pieces: list[tuple[str, bool]] = []
    for learnt, run in groupby(kept, key=lambda pair: pair[1]):
        held: list[int] = []
        for token, _ in run:
            held.append(token)
            text = tokenizer.decode(held, skip_special_tokens=False)
            if "\ufffd" not in text or len(held) > 4:
                pieces.append((text, learnt))
                held = []
        if held:
            pieces.append((tokenizer.decode(held, skip_special_tokens=False), learnt))
    return pieces


def _letters(record: Any, side: str) -> Iterator[tuple[str, bool]]:
    """Turns as they are learnt or not; of a pair one side."""
    if not side and not _messages(record):
        yield getattr(record, "text", ""), True
        return
    learnt = {id(turn) for turn in getattr(record, side or "messages", ())} if side else None
    for turn in (*record.prompt, *getattr(record, side)) if side else _messages(record):
        yield turn.content + "\n", turn.role == "assistant" and (learnt is None or id(turn) in learnt)


def _messages(record: Any) -> tuple[Any, ...]:
    own = getattr(record, "messages", ())
    return own or (*getattr(record, "prompt", ()), *getattr(record, "completion", ()))
