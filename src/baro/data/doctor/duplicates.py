"""The same thing twice: exactly, nearly, or with another answer."""

from __future__ import annotations

import re
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from baro.data.doctor.case import Case
from baro.data.doctor.registry import EVERY, Hit, SetCheck, Setting, set_check

WORD = re.compile(r"\w+")
WORDS = 20  # of a text that is long enough to be nearly another
LONG, ALIKE, ALIKE_SHORT = (
    40,
    0.8,
    0.9,
)  # share of word triples in common (Jaccard); short texts of one mould share many
FIRST = 20_000  # characters of a text that are compared
KEPT = 400  # smallest hashes of its triples kept: exact up to 400 triples, within about 0.02 beyond
HELD, FILES = 1 << 20, 16  # hashes held in memory; files of those on the disk
ENTRY = np.dtype([("key", "<i8"), ("value", "<i8"), ("place", "<i8")])
PERMUTATIONS, BAND = 64, 4  # 16 bands of 4: a pair of 0.8 is found with probability 0.9998


def same(text: str) -> str:
    """A text as compared: case, blanks and final signs make no other one of it."""
    return " ".join(text.casefold().split()).rstrip(" .!?。！？")


class Hashes:
    """Places by a hash of 64 bits each; beyond some number on the disk, so that memory does not grow with the rows."""

    def __init__(self) -> None:
        self.keys, self.values, self.places = array("q"), array("q"), array("q")
        self.files: list[IO[bytes]] = []

    def add(self, key: Any, value: Any, place: int) -> None:
        """One more row."""
        self.keys.append(hash(key))
        self.values.append(hash(value))
        self.places.append(place)

    def join(self, later: Hashes) -> None:
        """Those of rows behind."""
        self.keys += later.keys
        self.values += later.values
        self.places += later.places
        if len(self.keys) >= HELD:
            self._put_away()

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(places, values) of every key that several rows have, in the order of the rows."""
        if self.files:
            self._put_away()
            found = np.concatenate([_several(_entries_in(file)) for file in self.files])
        else:
            found = _several(self._entries())
        if not len(found):
            return
        starts = np.append(0, np.flatnonzero(np.diff(found["key"])) + 1)
        ends = np.append(starts[1:], len(found))
        for at in np.argsort(found["place"][starts], kind="stable"):  # hashes are of this process, rows are not
            yield found["place"][starts[at] : ends[at]], found["value"][starts[at] : ends[at]]

    def _entries(self) -> np.ndarray:
        entries = np.empty(len(self.keys), ENTRY)
        for name, values in (("key", self.keys), ("value", self.values), ("place", self.places)):
            entries[name] = np.frombuffer(values, np.int64)
        return entries

    def _put_away(self) -> None:
        """Each key has its file: of all files only one at a time is looked at."""
        self.files = self.files or [tempfile.TemporaryFile() for _ in range(FILES)]  # noqa: SIM115, until it is gone
        entries = self._entries()
        for number, file in enumerate(self.files):
            file.write(entries[entries["key"] % FILES == number].tobytes())
        self.keys, self.values, self.places = array("q"), array("q"), array("q")


def _entries_in(file: IO[bytes]) -> np.ndarray:
    file.seek(0)
    return np.frombuffer(file.read(), ENTRY)


def _several(entries: np.ndarray) -> np.ndarray:
    """Those whose key others have, too, by key and then in the order of the rows."""
    entries = entries[np.argsort(entries["key"], kind="stable")]
    equal = np.diff(entries["key"]) == 0
    return entries[np.append(False, equal) | np.append(equal, False)] if len(entries) else entries


class Hashed(SetCheck):
    """A check that gathers hashes alone."""

    def __init__(self, setting: Setting) -> None:
        self.hashes = Hashes()

    def state(self) -> Hashes:
        """The hashes."""
        return self.hashes

    def join(self, state: Hashes) -> None:
        """Those of the next stretch."""
        self.hashes.join(state)


@set_check({"exact-duplicate": "warning"})
class Exact(Hashed):
    """Rows that an earlier row equals in all that is read of them."""

    def add(self, case: Case) -> None:
        """One more row."""
        if case.unreadable:
            return
        whole = (
            (case.question, case.answer, case.worse) if case.pieces else tuple(sorted(map(str, case.columns.items())))
        )
        if any(whole):
            self.hashes.add(whole, 0, case.place)

    def hits(self) -> Iterator[Hit]:
        """Every row but the first of its kind."""
        for places, _ in self.hashes.groups():
            yield from (Hit("exact-duplicate", int(place), f"as row {places[0]}") for place in places[1:])


@set_check({"several-answers": "warning"}, frozenset(("conversations",)))
class SeveralAnswers(Hashed):
    """A question that is asked again and answered otherwise."""

    def add(self, case: Case) -> None:
        """One more row."""
        if case.record is not None and case.question:
            self.hashes.add(same(case.question), same(case.answer), case.place)

    def hits(self) -> Iterator[Hit]:
        """All rows of such a question."""
        for places, values in self.hashes.groups():
            kinds = len(set(values.tolist()))
            if kinds > 1:
                others = ", ".join(map(str, places[:6].tolist()))
                text = f"{kinds} answers to one question, in rows {others}"
                yield from (Hit("several-answers", int(place), text) for place in places)


@set_check({"label-conflict": "warning"}, EVERY - {"conversations", "prompts", None})
class Conflicts(Hashed):
    """The same thing judged both ways: a pair and its mirror image, or one text under two labels."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.pairs = setting.noun == "preferences"

    def add(self, case: Case) -> None:
        """One more row."""
        if self.pairs:
            first = case.answer <= case.worse
            both = (case.answer, case.worse) if first else (case.worse, case.answer)
            if both[0] != both[1]:
                self.hashes.add((same(case.question), *both), first, case.place)
        elif "label" in case.columns and case.answer.strip():
            label = case.columns["label"]
            label = label.strip() if isinstance(label, str) else str(label)
            self.hashes.add((same(case.question), case.answer.strip()), label, case.place)

    def hits(self) -> Iterator[Hit]:
        """All rows of such a group."""
        for places, values in self.hashes.groups():
            if len(set(values.tolist())) > 1:
                text = f"judged both ways in rows {', '.join(map(str, places[:6].tolist()))}"
                yield from (Hit("label-conflict", int(place), text) for place in places)


@set_check({"frequent-answer": "warning"}, frozenset(("conversations",)))
class Frequent(SetCheck):
    """One whole sentence that answers many different questions."""

    def __init__(self, setting: Setting) -> None:
        self.rows, self.hashes = 0, Hashes()

    def add(self, case: Case) -> None:
        """One more row."""
        self.rows += 1
        text = same(case.answer)
        if len(text) >= 24 and " " in text:
            self.hashes.add(text, same(case.question), case.place)

    def state(self) -> tuple[int, Hashes]:
        """Rows and hashes."""
        return self.rows, self.hashes

    def join(self, state: tuple[int, Hashes]) -> None:
        """Those of the next stretch."""
        self.rows += state[0]
        self.hashes.join(state[1])

    def hits(self) -> Iterator[Hit]:
        """From 20 questions and 2 % of the rows on."""
        for places, values in self.hashes.groups():
            questions = len(set(values.tolist()))
            if questions >= max(20, self.rows // 50):
                text = f"one answer to {questions:,} questions, in rows {', '.join(map(str, places[:6].tolist()))}"
                yield from (Hit("frequent-answer", int(place), text) for place in places)


@set_check({"near-duplicate": "warning"}, EVERY - {None})
class Near(SetCheck):
    """Texts that share 8 of 10 of their word triples with an earlier one (MinHash, verified), numbers being the same.

    Of 20 to 39 words 9 of 10; shorter texts are near duplicates when they differ in case, blanks and final signs alone.
    """

    def __init__(self, setting: Setting) -> None:
        from datasketch import MinHash

        self.most, self.short = setting.compared, Hashes()
        self.blank = MinHash(PERMUTATIONS, hashfunc=int, seed=1)
        self.shingles: list[np.ndarray] = []
        self.numbers, self.exact = array("q"), array("q")
        self.places = array("q")
        self.signatures = array("Q")

    def add(self, case: Case) -> None:
        """One more row."""
        if case.place >= self.most or case.unreadable:
            return
        text = f"{case.question}\n{case.answer}\n{case.worse}"
        words = WORD.findall(text[:FIRST].lower())
        if len(words) < WORDS:
            if words:
                self.short.add((same(case.question), same(case.answer), same(case.worse)), text, case.place)
            return
        triples = {zlib.crc32(" ".join(words[at : at + 3]).encode("utf-8", "replace")) for at in range(len(words) - 2)}
        sketch = self.blank.copy()
        sketch.update_batch(list(triples))
        self.signatures.extend(sketch.hashvalues.tolist())
        self.shingles.append(np.array(sorted(triples)[:KEPT], np.uint32))
        self.numbers.append(hash(tuple(sorted(word for word in words if word.isdigit()))))
        self.exact.append(hash(text))
        self.places.append(case.place)

    def state(self) -> tuple[Any, ...]:
        """Signatures, triples and where they are from."""
        return self.short, self.shingles, self.numbers, self.exact, self.signatures, self.places

    def join(self, state: tuple[Any, ...]) -> None:
        """Those of the next stretch."""
        short, *others = state
        self.short.join(short)
        for known, later in zip(self.state()[1:], others, strict=True):
            known.extend(later)

    def hits(self) -> Iterator[Hit]:
        """The later one of each two."""
        for places, values in self.short.groups():
            for place, value in zip(places[1:], values[1:], strict=True):
                if value != values[0]:
                    yield Hit("near-duplicate", int(place), f"as row {places[0]} but for case, blanks and final signs")
        found: dict[int, tuple[int, float]] = {}
        for first, second in self._candidates(self._different()):
            if second not in found and self.numbers[first] == self.numbers[second]:
                share = jaccard(self.shingles[first], self.shingles[second])
                if share >= (ALIKE if len(self.shingles[second]) >= LONG - 2 else ALIKE_SHORT):
                    found[second] = (first, share)
        for second, (first, share) in sorted(found.items()):
            text = f"{share:.0%} of its word triples are those of row {self.places[first]}"
            yield Hit("near-duplicate", self.places[second], text)

    def _different(self) -> np.ndarray:
        """Which texts are no exact duplicates of earlier ones: those are told elsewhere."""
        return np.sort(np.unique(np.asarray(self.exact), return_index=True)[1])

    def _candidates(self, texts: np.ndarray) -> Iterator[tuple[int, int]]:
        """(earlier, later) pairs that agree in a whole band of their signatures."""
        if len(texts) < 2:
            return
        signatures = np.asarray(self.signatures, np.uint64).reshape(len(self.places), PERMUTATIONS)[texts]
        for start in range(0, PERMUTATIONS, BAND):
            band = np.ascontiguousarray(signatures[:, start : start + BAND])
            keys = band.view([("", band.dtype)] * BAND).ravel()
            _, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
            order = np.argsort(which, kind="stable")
            begin = 0
            for count in counts.tolist():
                bucket = texts[order[begin : begin + count]].tolist()
                begin += count
                for at in range(1, count):
                    yield from ((earlier, bucket[at]) for earlier in bucket[max(0, at - 8) : at])


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """|A ∩ B| / |A ∪ B| of two sorted sets, of which the `KEPT` smallest are known: the share of the smallest of both.

    (Broder 1997, "On the resemblance and containment of documents": of A ∪ B's k smallest, the share in A ∩ B.)
    """
    union = np.union1d(first, second)[: KEPT if KEPT in (len(first), len(second)) else None]
    common = np.intersect1d(first, second, assume_unique=True)
    return float(np.isin(union, common, assume_unique=True).mean())
