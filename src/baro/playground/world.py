"""The people of the world and what is true of them: a pure function of (seed, lang)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from baro.core.errors import ConfigError
from baro.playground import (
    questions_en,
    questions_ko,
    wordings_en,
    wordings_ko,
    words_en,
    words_ko,
)
from baro.playground.words import ATTRIBUTES, Lexicon, Noun, Speech, Wordings

LANGUAGES = ("en", "ko")
_LEXICONS = {"en": words_en.LEXICON, "ko": words_ko.LEXICON}
_WORDINGS = {"en": wordings_en.REGISTERS, "ko": wordings_ko.REGISTERS}
_SPEECH = {"en": questions_en.SPEECH, "ko": questions_ko.SPEECH}
_PRONOUNS = {
    "she": {"he": "she", "He": "She", "his": "her", "His": "Her", "him": "her"},
    "he": {"he": "he", "He": "He", "his": "his", "His": "His", "him": "him"},
    "": {},
}


def dice(*names: object) -> random.Random:
    """A generator that belongs to these names (seed, language, purpose) and to nothing else."""
    return random.Random("/".join(str(name) for name in names))


@dataclass(frozen=True)
class Person:
    """One made-up person.

    Attributes:
        name: unique. pronoun: "she" or "he", empty in Korean. facts: attribute → value.
        seen: True for the half whose facts instruction data asks about; the others appear in text and evaluation only.
    """

    name: Noun
    pronoun: str
    facts: dict[str, Noun]
    seen: bool

    @property
    def pronouns(self) -> dict[str, str]:
        """Template fields he, He, his, His, him."""
        return _PRONOUNS[self.pronoun]


@dataclass(frozen=True)
class World:
    """The people, the nouns and the ways to speak of them, in one language."""

    lang: str
    seed: int
    people: tuple[Person, ...]
    lexicon: Lexicon
    registers: tuple[Wordings, ...]
    speech: Speech

    def having(self, attribute: str, value: str) -> list[Person]:
        """The people of whom `attribute` is `value`, in the world's order."""
        return [person for person in self.people if person.facts[attribute] == value]


def speech(lang: str) -> Speech:
    """How `lang` asks and answers. ConfigError for a language other than en and ko."""
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} is not one of {', '.join(LANGUAGES)}.", where="lang")
    return _SPEECH[lang]


def world(lang: str = "en", *, seed: int = 0, people: int = 48) -> World:
    """The world of `people` people, each value of an attribute shared out evenly among them.

    Raises:
        ConfigError: unknown language, or a number of people outside 4 … the number of names.
    """
    spoken = speech(lang)
    lexicon = _LEXICONS[lang]
    if not 4 <= people <= len(lexicon.names):
        raise ConfigError(f"people={people}, expected 4 to {len(lexicon.names)}.", where="people")
    roll = dice(seed, lang, "world")
    names = roll.sample(lexicon.names, people)
    columns: dict[str, list[str]] = {}
    for attribute in ATTRIBUTES:
        values = list(lexicon.values[attribute])
        roll.shuffle(values)
        shares = [values[place % len(values)] for place in range(people)]
        roll.shuffle(shares)
        columns[attribute] = shares
    halves = [place < people // 2 for place in range(people)]
    roll.shuffle(halves)
    folk = tuple(
        Person(Noun(name), pronoun, {key: Noun(columns[key][place]) for key in ATTRIBUTES}, halves[place])
        for place, (name, pronoun) in enumerate(names)
    )
    return World(lang, seed, folk, lexicon, _WORDINGS[lang], spoken)
