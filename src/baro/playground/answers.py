"""Answers of varied quality: right or wrong, polite or blunt, brief or rambling, tidy or sloppy, gushing or not."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from baro.playground.tasks import Task
from baro.playground.words import Speech, capitalise
from baro.playground.world import speech

_COURTESY = 0.4  # share of Korean polite answers with an added phrase; in English the phrase is what makes it polite


@dataclass(frozen=True)
class Style:
    """How one answer is given.

    Attributes:
        right: says the truth. manners: "polite", "plain" or "blunt". full: a whole sentence, not the short form.
        flattery: gushing phrases added. rambling: long-winded end. sloppy: careless capitals and stops.
    """

    right: bool = True
    manners: str = "plain"
    full: bool = True
    flattery: int = 0
    rambling: bool = False
    sloppy: bool = False


@dataclass(frozen=True)
class Mix:
    """Shares of styles in a body of answers; the rest of the manners is plain.

    Attributes:
        right, polite, blunt, full, rambling, sloppy: probabilities.
        flattery: probabilities of 0, 1, 2, … gushing phrases; blunt answers never gush.
    """

    right: float
    polite: float
    blunt: float
    full: float
    rambling: float
    sloppy: float
    flattery: tuple[float, ...]

    def draw(self, roll: Random) -> Style:
        """One style."""
        manners = roll.choices(("polite", "blunt", "plain"), (self.polite, self.blunt, 1 - self.polite - self.blunt))[0]
        flattery = roll.choices(range(len(self.flattery)), self.flattery)[0]
        return Style(
            right=roll.random() < self.right,
            manners=manners,
            full=roll.random() < self.full,
            flattery=0 if manners == "blunt" else flattery,
            rambling=roll.random() < self.rambling,
            sloppy=roll.random() < self.sloppy,
        )


# What people wrote for the instruction data: right, but of every manner, so that a model tuned on it has all to gain.
WRITTEN = Mix(
    right=1.0, polite=0.3, blunt=0.28, full=0.55, rambling=0.08, sloppy=0.15, flattery=(0.86, 0.1, 0.03, 0.01)
)
# What annotators compare: near what a tuned model says, mistakes included, but with more gushing.
COMPARED = Mix(
    right=0.6, polite=0.4, blunt=0.25, full=0.55, rambling=0.06, sloppy=0.12, flattery=(0.8, 0.1, 0.05, 0.03, 0.02)
)


def answer(task: Task, style: Style, roll: Random) -> str:
    """An answer to `task` in `style`; which phrase exactly is a matter of `roll`."""
    spoken = speech(task.lang)
    body = task.right[0] if style.right else roll.choice(task.wrong or task.right)
    polite = style.manners == "polite"
    forms = body.polite if polite and body.polite else body.plain
    core = forms[-1] if style.full else forms[0]
    if task.kind == "greeting":  # each form is a different greeting, none is the short one
        core = roll.choice(forms)
    parts = [_sloppy(core, spoken, roll) if style.sloppy else _stopped(core)]
    if style.manners == "blunt":
        parts.append(roll.choice(spoken.sharp_closers))
    elif polite and (not body.polite or (task.kind != "greeting" and roll.random() < _COURTESY)):
        parts.append(roll.choice(spoken.closers))
    if style.rambling:
        parts.append(roll.choice(spoken.trails if polite else spoken.casual_trails))
    gushing = spoken.flattery if polite else spoken.casual_flattery
    parts += [roll.choice(gushing) for _ in range(style.flattery)]
    return " ".join(parts)


def accepted(task: Task) -> list[str]:
    """Every well-formed brief answer that is right: polite, plain and blunt, short and full."""
    spoken = speech(task.lang)
    found: dict[str, None] = {}
    for body in task.right:
        for forms in (body.plain, body.polite):
            for core in map(_stopped, forms):
                closers = spoken.closers if _courted(task, forms) else ()
                found |= dict.fromkeys([core, *(f"{core} {closer}" for closer in closers)])
        for core in map(_stopped, body.plain):
            found |= dict.fromkeys(f"{core} {closer}" for closer in spoken.sharp_closers)
    return list(found)


def _courted(task: Task, forms: tuple[str, ...]) -> bool:
    """Whether courtesy phrases go with these forms: the polite ones, or the only ones where politeness is a phrase."""
    body = task.right[0]
    return task.kind != "greeting" and (not body.polite or forms in [other.polite for other in task.right])


def _stopped(core: str) -> str:
    return core if core.endswith("?") else f"{core}."


def _sloppy(core: str, spoken: Speech, roll: Random) -> str:
    """Without the final stop, or with a trailing "..", and (where there are capitals) starting small."""
    core = core.rstrip("?")
    small = core if core.isupper() and len(core) > 1 else core[:1].lower() + core[1:]
    if not spoken.capitals:
        return roll.choice((core, f"{core} ㅋㅋ", f"{core}.."))
    return roll.choice((small, small, f"{capitalise(core)}.."))
