"""Is the row what the file holds: its columns, their types, its turns; and is anything in them."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from baro.data.dialects import NAMED, noun_of
from baro.data.doctor.case import FOREIGN, HOLDERS, Case
from baro.data.doctor.registry import ANSWERED, EVERY, Hit, SetCheck, Setting, row_check, set_check, short
from baro.data.row import kind_of

PLACEHOLDERS = {
    *("noinput", "no input", "n/a", "na", "none", "null", "nan", "nil", "undefined", "todo", "tbd", "fixme"),
    *("placeholder", "lorem ipsum", "...", "…", "-", "--", "?", "xxx", "[output]", "[input]", "[answer]", "없음"),
    *("your answer here", "insert text here", "해당 없음", "입력 없음", "내용 없음", "미정"),
}
BLANK = re.compile(r"\[(?:your|insert|enter|add|company|recipient)\b[^\[\]\n]{0,40}\]", re.IGNORECASE)
SURROGATE = re.compile("[\ud800-\udfff]")
UNNEEDED = frozenset(("input", "system", "history", "margin", "plain"))


@row_check("unreadable-row", "error")
def unreadable(case: Case) -> str | None:
    """The row is no JSON, no UTF-8, or has too many or too few fields."""
    return case.problem.message if case.unreadable and case.problem else None


@row_check("unknown-format", "error", frozenset((None,)))
def unknown_format(case: Case) -> str | None:
    """Columns of no format: nothing can be learnt from the file."""
    return None if case.unreadable else f"columns {short(', '.join(map(str, case.columns)))}"


@row_check("missing-column", "error", EVERY - {None})
def missing_column(case: Case) -> str | None:
    """The row lacks a column that its format is told by, so it is of another kind than the file."""
    if case.unreadable or case.problem is None or case.noun is None:
        return None
    own = noun_of(case.columns)
    if case.noun == "conversations" and case.columns.keys() & set(HOLDERS):
        return None  # it is the turns that lack something
    same = own == case.noun or {own, case.noun} <= {"conversations", "judgements"}
    if same or (case.noun == "prompts" and own is not None) or (case.noun == "texts" and "text" in case.columns):
        return None
    return f"columns {short(', '.join(map(str, case.columns)))}; the other rows are {case.noun}"


@row_check("duplicate-key", "error")
def duplicate_key(case: Case) -> str | None:
    """A JSON object that names a key twice: every reader keeps another one of the two values."""
    return f"named twice: {', '.join(case.repeated)}" if case.repeated else None


@row_check("wrong-type", "error")
def wrong_type(case: Case) -> str | None:
    """Something that should be a text is a number, a list, an object."""
    for piece in case.pieces:
        if piece.value is not None and not isinstance(piece.value, str):
            return f"{piece.name} is {kind_of(piece.value)}: {short(repr(piece.value))}"
    return None


@row_check("empty-answer", "error", ANSWERED)
def empty_answer(case: Case) -> str | None:
    """An answer to be learnt that is nothing."""
    return next((f"{piece.name} is empty" for piece in case.answered if _empty(piece.value)), None)


@row_check("empty-rejected", "warning", frozenset(("preferences",)))
def empty_rejected(case: Case) -> str | None:
    """A worse answer that is nothing: it teaches that saying anything is better."""
    return next((f"{piece.name} is empty" for piece in case.rejected if _empty(piece.value)), None)


@row_check("empty-prompt", "error", EVERY - {"texts", None})
def empty_prompt(case: Case) -> str | None:
    """A question that is nothing."""
    if case.record is not None and getattr(case.record, "plain", False):
        return None  # joined as they stand: the empty prompt is a choice
    return next((f"{p.name} is empty" for p in case.asked if p.role != "system" and _empty(p.value)), None)


@row_check("empty-text", "error", frozenset(("texts",)))
def empty_text(case: Case) -> str | None:
    """A document that is nothing."""
    return next(("text is empty" for piece in case.answered if _empty(piece.value)), None)


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


@row_check("placeholder")
def placeholder(case: Case) -> str | None:
    """A word that stands for something that was never filled in."""
    for piece in case.pieces:
        if isinstance(piece.value, str) and len(piece.value) <= 24:
            word = piece.value.strip().strip("<>").lower()
            if piece.role == "text" and not any(map(str.isalpha, word)):
                continue  # a review may say "..."
            if word in PLACEHOLDERS and not (piece.role == "assistant" and word in ("none", "no input", "없음", "-")):
                return f"{piece.name} is {piece.value!r}"
    return None


@row_check("unfilled-blank", "warning", ANSWERED)
def unfilled_blank(case: Case) -> str | None:
    """A blank of a form letter, to be filled in by whom the model talks to."""
    for piece in case.answered:
        if isinstance(piece.value, str) and "[" in piece.value and (match := BLANK.search(piece.value)):
            return f"{piece.name} holds {match[0]}"
    return None


@row_check("unknown-role", "error", EVERY - {"texts", None})
def unknown_role(case: Case) -> str | None:
    """A turn of nobody we know, or no turn at all."""
    for piece in case.pieces:
        if piece.role == FOREIGN and not (piece.value is not None and not isinstance(piece.value, str)):
            return f"{piece.name} has no known speaker"
    return None


@row_check("no-answer", "error", frozenset(("conversations", "judgements")))
def no_answer(case: Case) -> str | None:
    """A conversation in which the assistant never speaks: no token is learnt."""
    bare = not case.unreadable and case.asked and not case.answered
    return f"turns of {', '.join(piece.role for piece in case.asked)}" if bare and not missing_column(case) else None


@row_check("turn-order", "error", frozenset(("conversations",)))
def turn_order(case: Case) -> str | None:
    """The assistant speaks before anybody asked."""
    says = case.problem.message if case.problem else ""
    return says if "the first turn is" in says else None


@row_check("repeated-speaker", "warning", frozenset(("conversations", "prompts")))
def repeated_speaker(case: Case) -> str | None:
    """Two turns of one speaker in a row: templates merge, drop or refuse them."""
    roles = [message.role for message in getattr(case.record, "messages", ())]
    for before, after in pairwise(roles):
        if before == after:
            return f"two turns of the {after} in a row"
    return None


@row_check("late-system", "warning", frozenset(("conversations", "prompts")))
def late_system(case: Case) -> str | None:
    """A system turn that does not come first: many templates refuse or drop it."""
    roles = [message.role for message in getattr(case.record, "messages", ())]
    return "a system turn behind others" if "system" in roles[1:] else None


@row_check("unanswered-end", "warning", frozenset(("conversations",)))
def unanswered_end(case: Case) -> str | None:
    """The last word is the user's: it is left out, for nothing is learnt from it."""
    messages = getattr(case.record, "messages", ())
    last = messages[-1] if messages else None
    return f"ends with {short(last.content)}" if last is not None and last.role != "assistant" else None


@row_check("bad-margin", "error", frozenset(("preferences",)))
def bad_margin(case: Case) -> str | None:
    """A margin that is no finite number."""
    margin = case.columns.get("margin")
    if margin in (None, ""):
        return None
    try:
        fine = not isinstance(margin, bool) and math.isfinite(float(margin))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        fine = False
    return None if fine else f"margin is {margin!r}"


@row_check("bad-label", "error", frozenset(("judgements",)))
def bad_label(case: Case) -> str | None:
    """A judgement that is neither true nor false."""
    says = case.problem.message if case.problem else ""
    return says if says.startswith("label is") else None


@row_check("lone-surrogate", "error")
def lone_surrogate(case: Case) -> str | None:
    """Half a character: no tokenizer takes it, and it cannot be written as UTF-8."""
    if not SURROGATE.search(case.whole):
        return None
    for name, text in case.strings:
        if match := SURROGATE.search(text):
            return f"{name}, at character {match.start() + 1}"
    return None


@set_check({"extra-key": "warning", "missing-key": "warning"})
class Keys(SetCheck):
    """Keys that few rows have, and keys that few rows lack."""

    def __init__(self, setting: Setting) -> None:
        self.rows = 0
        self.sets: dict[frozenset[str], array] = {}

    def add(self, case: Case) -> None:
        """One more row."""
        if case.unreadable:
            return
        self.rows += 1
        places = self.sets.setdefault(frozenset(case.columns), array("I"))
        places.append(case.place)

    def state(self) -> tuple[int, dict[frozenset[str], array]]:
        """Rows, and their places by their keys."""
        return self.rows, self.sets

    def join(self, state: tuple[int, dict[frozenset[str], array]]) -> None:
        """Those of the next stretch."""
        self.rows += state[0]
        for keys, places in state[1].items():
            self.sets.setdefault(keys, array("I")).extend(places)

    def hits(self) -> Iterator[Hit]:
        """Keys in at most 1 % of the rows are extra, in at least 99 % are missed where they are not."""
        if len(self.sets) < 2 or self.rows < 20:
            return
        rare = max(1, self.rows // 100)
        counts = Counter({key: sum(len(self.sets[s]) for s in self.sets if key in s) for s in self.sets for key in s})
        for keys, places in self.sets.items():
            extra = sorted(key for key in keys if counts[key] <= rare)
            missing = sorted(
                key for key in counts if key not in keys and key not in UNNEEDED and counts[key] >= self.rows - rare
            )
            for name, found in (("extra-key", extra), ("missing-key", missing)):
                if found:
                    yield from (Hit(name, place, f"keys {', '.join(found)}") for place in places)


@set_check({"stray-label": "warning", "one-label": "warning", "lopsided-label": "warning", "null-value": "warning"})
class Labels(SetCheck):
    """Columns of few different values: values that differ in blanks or case only, and columns of one value."""

    MOST = 50

    def __init__(self, setting: Setting) -> None:
        self.rows = 0
        self.values: dict[str, dict[str, array] | None] = {}  # None: a column of no labels
        self.nulls: dict[str, array] = {}

    def add(self, case: Case) -> None:
        """One more row."""
        self.rows += 1
        for name, value in case.columns.items():
            if value is None and name not in NAMED:
                self.nulls.setdefault(name, array("I")).append(case.place)
            elif isinstance(value, str | bool | int):
                text = value if isinstance(value, str) else str(value).lower()
                known = self.values.setdefault(name, {})
                if known is None:
                    continue
                places = known.get(text)
                if places is None:
                    if len(known) >= self.MOST or len(text) > 40:
                        self.values[name] = None
                        continue
                    places = known[text] = array("I")
                places.append(case.place)

    def state(self) -> tuple[int, dict, dict]:
        """Rows, and their places by column and value; of null apart."""
        return self.rows, self.values, self.nulls

    def join(self, state: tuple[int, dict, dict]) -> None:
        """Those of the next stretch."""
        self.rows += state[0]
        for name, places in state[2].items():
            self.nulls.setdefault(name, array("I")).extend(places)
        for name, later in state[1].items():
            known = self.values.setdefault(name, {})
            if known is None or later is None:
                self.values[name] = None
                continue
            for text, places in later.items():
                known.setdefault(text, array("I")).extend(places)
            if len(known) > self.MOST:
                self.values[name] = None

    def hits(self) -> Iterator[Hit]:
        """Rows whose value a commoner one equals but for blanks and case; and what is wrong with a column."""
        for name, places in self.nulls.items():
            if len(places) * 2 <= self.rows:
                yield from (Hit("null-value", place, f"{name} is null") for place in places)
        for name, known in self.values.items():
            if not known or len(known) * 5 > self.rows:
                continue
            common: dict[str, str] = {}
            for value in sorted(known, key=lambda each: -len(known[each])):
                usual = common.setdefault(value.strip().casefold(), value)
                if usual != value and len(known[value]) * 5 <= len(known[usual]):
                    text = f"{name} is {value!r}, elsewhere {usual!r}"
                    yield from (Hit("stray-label", place, text) for place in known[value])
            most = max(known, key=lambda each: len(known[each]))
            share = len(known[most]) / self.rows
            if name == "label" and len(common) == 1 and self.rows >= 20:
                yield Hit("one-label", None, f"{name} is {most!r} in all {self.rows:,} rows")
            elif name not in NAMED - {"label"} and 0.95 <= share < 1 and len(common) > 1 and self.rows >= 100:
                yield Hit("lopsided-label", None, f"{name} is {most!r} in {share:.1%} of {self.rows:,} rows")
