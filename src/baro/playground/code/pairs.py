"""Pairs of a program that reads well and the same program spoilt, for a reward model of readability.

Half of the pairs have the longer program as the better one, at every size of the difference: length alone is worth
nothing. Some kinds of harm, and some programs, are held out to test on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from baro.core.errors import ConfigError
from baro.playground.code.harms import HARMS
from baro.playground.code.layout import SPOILS, Style, page, rows_of
from baro.playground.code.lines import PYTHON, Language, braces, lines_of
from baro.playground.code.programs import Program, made_up, real
from baro.playground.files import write

NEW_HARMS = ("vowelless", "gaps", "dense", "noise")
"""Kinds that training never sees: two that shorten, two that lengthen."""
KINDS = (*HARMS, *SPOILS)
HELD_OUT = 10  # one family of real programs per so many
NEW_FORMS = ("form-valid", "form-load")
PROMPT = "Show readable code: "
ANY = "Show readable code."
BINS = (0.05, 0.15, 0.3, 0.5)  # of the difference in length over the mean length


@dataclass(frozen=True)
class Pair:
    """The better and the worse of two pages, the kinds of harm that differ, and what was asked for."""

    task: str
    better: str
    worse: str
    kinds: tuple[str, ...]

    @property
    def gain(self) -> float:
        """By how much the better one is longer, of the mean length."""
        return 2 * (len(self.better) - len(self.worse)) / (len(self.better) + len(self.worse))


def export(
    folder: Path, *, data: Path | None = None, seed: int = 0, programs: int = 600, pairs: int = 6000, heldout: int = 500
) -> dict[str, int]:
    """Write text.jsonl, preferences.jsonl, preferences_heldout.jsonl and preferences_new_harms.jsonl.

    Args:
        folder: created if missing; files in it are replaced.
        data: folder with mbpp/ and humaneval/; None: made-up programs only.
        programs: made-up programs. pairs: of training. heldout: of each held-out file: programs (and forms) that no
            training pair shows, spoilt in known ways and in ways that no training pair shows.

    Returns:
        File name without .jsonl → rows.

    Raises:
        DataError: `data` lacks a file.
        ConfigError: more pairs than the programs give.
    """
    roll = Random(f"code {seed}")
    found = made_up(programs, roll) + (real(Path(data)) if data else [])
    families = sorted({program.family for program in found if not program.family.startswith("form-")})
    roll.shuffle(families)
    kept = {*NEW_FORMS, *families[: len(families) // HELD_OUT]}
    old = [kind for kind in KINDS if kind not in NEW_HARMS]
    train = [program for program in found if program.family not in kept]
    test = [program for program in found if program.family in kept]
    files = {
        "preferences": balanced(train, old, pairs, roll, mixed=0.25),
        "preferences_heldout": balanced(test, old, heldout, roll),
        "preferences_new_harms": balanced(test, list(NEW_HARMS), heldout, roll),
    }
    folder.mkdir(parents=True, exist_ok=True)
    texts = [{"text": text} for program in train for text in _texts(program, old, roll)]
    roll.shuffle(texts)
    write(folder / "text.jsonl", texts)
    for name, rows in files.items():
        write(folder / f"{name}.jsonl", (_row(pair) for pair in rows))
    return {"text": len(texts)} | {name: len(rows) for name, rows in files.items()}


def balanced(programs: list[Program], kinds: list[str], count: int, roll: Random, *, mixed: float = 0.0) -> list[Pair]:
    """`count` pairs, of which the better one is the longer as often as the shorter in every bin of the difference.

    Args:
        mixed: share of pairs of two different programs: they teach what programs have in common.
    """
    wanted, bins = count, defaultdict[tuple[int, bool], list[Pair]](list)
    found: list[Pair] = []
    for _ in range(6 * count + 1000 if programs else 0):
        pair = _pair(roll.choice(programs), kinds, roll)
        if pair is None:
            continue
        other = _pair(roll.choice(programs), kinds, roll) if roll.random() < mixed else None
        pair = replace(pair, task="", worse=other.worse, kinds=other.kinds) if other else pair
        place = sum(abs(pair.gain) > edge for edge in BINS)
        twins = bins[place, pair.gain < 0]
        if pair.gain and twins:  # one of the same size the other way round waits for it
            found += [pair, twins.pop()]
        elif pair.gain:
            bins[place, pair.gain > 0].append(pair)
        if len(found) >= wanted:
            roll.shuffle(found)
            return found[:wanted]
    raise ConfigError(f"{len(programs)} programs give {len(found)} balanced pairs; {count} were asked for.")


def _pair(program: Program, kinds: list[str], roll: Random) -> Pair | None:
    """A program with few or no harms, and the same with one to three more; None where they look alike."""
    language, style = _language(roll), _style(program, roll)
    chosen = roll.sample(kinds, min(len(kinds), roll.choice((1, 1, 2, 3))))
    already = roll.sample(kinds, 1) if roll.random() < 0.2 else []
    dice = roll.randrange(1 << 30)  # both pages are spoilt by the same throws
    better = render(program, already, language(), style, Random(dice))
    worse = render(program, [*already, *(k for k in chosen if k not in already)], language(), style, Random(dice))
    return Pair(program.task, better, worse, tuple(chosen)) if better != worse else None


def render(program: Program, kinds: Iterable[str], language: Language, style: Style, roll: Random) -> str:
    """The page of a program after the harms named."""
    wanted, tree = set(kinds), program.tree
    for name, harm in HARMS.items():
        tree = harm(tree, roll) if name in wanted else tree
    rows = rows_of(lines_of(tree, language), language, style)
    for name, spoil in SPOILS.items():
        rows = spoil(rows, language, roll) if name in wanted else rows
    return page(rows, style)


def _language(roll: Random):
    return braces if roll.random() < 0.7 else lambda: PYTHON


def _style(program: Program, roll: Random) -> Style:
    indent = roll.choice(("    ", "    ", "  ", "\t"))
    said = program.task if roll.random() < 0.5 else ""
    return Style(indent, airy=roll.random() < 0.7, said=said, own_line=roll.random() < 0.2)


def _texts(program: Program, kinds: list[str], roll: Random) -> list[str]:
    """What pre-training reads of a program: both languages, clean and spoilt."""
    plain = [
        render(program, [], language(), _style(program, roll), roll) for language in (lambda: PYTHON, braces, braces)
    ]
    spoilt = [render(program, roll.sample(kinds, 2), _language(roll)(), _style(program, roll), roll) for _ in range(3)]
    return plain + spoilt


def _row(pair: Pair) -> dict:
    asked = PROMPT + pair.task if pair.task else ANY
    said = {"chosen": pair.better, "rejected": pair.worse}
    messages = {name: [{"role": "assistant", "content": text}] for name, text in said.items()}
    return {"prompt": [{"role": "user", "content": asked}]} | messages | {"kind": "+".join(sorted(pair.kinds))}
