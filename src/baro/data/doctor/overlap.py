"""What the evaluation asks, found in the training data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from baro.core.errors import DataError
from baro.data.dialects import noun_of, renamed
from baro.data.doctor.case import Case
from baro.data.doctor.duplicates import same
from baro.data.doctor.registry import EVERY, Hit, Places, SetCheck, Setting, set_check, short
from baro.data.files import rows_of
from baro.data.read import Way

WORD = re.compile(r"\w+")
GRAM = 13  # words, as Brown et al. 2020 (GPT-3, appendix C) took them
LEAST = 8  # words of a question that is told by its words
COVERED = 0.9  # share of a question's word runs found in one training row


def grams(text: str, size: int = GRAM) -> list[int]:
    """Hashes of all runs of `size` words; of the whole text where it is shorter and has at least `LEAST`."""
    words = WORD.findall(text.lower())
    if len(words) < LEAST:
        return []
    size = min(size, len(words))
    return [hash(tuple(words[at : at + size])) for at in range(len(words) - size + 1)]


class Asked:
    """What the files of an evaluation ask: whole questions, and runs of their words."""

    def __init__(self, setting: Setting) -> None:
        self.questions: dict[int, str] = {}
        self.runs: dict[int, list[int]] = {}
        self.sizes: list[int] = []
        self.places: list[str] = []
        self.lengths: set[int] = set()
        for path in setting.held_out:
            self._learn(path, setting.columns)

    def _learn(self, path: Path, names: Mapping[str, str] | None) -> None:
        for place, row in enumerate(rows_of(path)):
            where = f"{path}:{row.number}"
            try:
                columns = renamed(row, names, where)
                noun = noun_of(columns)
                columns = Way(noun).translate(columns, where)[0] if noun else {}
            except DataError:
                continue  # such a row is not evaluated with either
            case = Case(place, where, columns, noun)
            case.take_apart()
            asked = _asked(case)
            if not asked.strip():
                continue
            self.questions.setdefault(hash(same(asked)), f"row {place} of {path.name}")
            runs = grams(asked)
            self.lengths.add(min(GRAM, len(WORD.findall(asked))))
            number = len(self.sizes)
            self.sizes.append(len(runs))
            self.places.append(f"row {place} of {path.name}")
            for run in set(runs):
                self.runs.setdefault(run, []).append(number)


@set_check({"held-out-prompt": "warning", "held-out-overlap": "warning"}, EVERY - {None})
class HeldOut(SetCheck):
    """Training rows that ask what the evaluation asks, word by word or in most of its words."""

    def __init__(self, setting: Setting) -> None:
        self.found = Places()
        if setting.asked is None:
            setting.asked = Asked(setting)
        self.asked: Asked = setting.asked

    def add(self, case: Case) -> None:
        """One more training row."""
        if not self.asked.questions or not case.pieces:
            return
        asked = _asked(case)
        if asked.strip() and (where := self.asked.questions.get(hash(same(asked)))):
            self.found.add("held-out-prompt", case.place, f"asked in {where}: {short(asked.strip(), 100)}")
            return
        words = WORD.findall(f"{case.question}\n{case.answer}".lower())
        counts: Counter[int] = Counter()
        for size in self.asked.lengths:
            for at in range(len(words) - size + 1) if size >= LEAST else ():
                counts.update(self.asked.runs.get(hash(tuple(words[at : at + size])), ()))
        for number, count in counts.most_common(1):
            if count >= self.asked.sizes[number] * COVERED:
                text = f"{min(count / self.asked.sizes[number], 1):.0%} of the words of {self.asked.places[number]}"
                self.found.add("held-out-overlap", case.place, text)

    def state(self) -> Places:
        """What was found."""
        return self.found

    def join(self, state: Places) -> None:
        """In the next stretch."""
        self.found.join(state)

    def hits(self) -> Iterator[Hit]:
        """What was found."""
        yield from self.found.hits()


def _asked(case: Case) -> str:
    """What is asked; of a text the text itself."""
    return case.answer if case.noun == "texts" else case.question
