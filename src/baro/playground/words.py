"""Words with grammar: the article of an English noun, the particle of a Korean one, and the tables both languages fill.

Templates are ordinary `str.format` strings. A `Noun` in them may ask for its grammar: `{value:a}` gives "a cat" or
"an animal", `{value:을}` gives "김밥을" or "떡볶이를".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ATTRIBUTES = ("home", "job", "pet", "food", "colour")

# particle after a final consonant → particle after a vowel
_PARTICLES = {
    "은": "는", "이": "가", "을": "를", "과": "와", "으로": "로", "이에요": "예요", "이야": "야",
    "이다": "다", "이라고": "라고", "이라면": "라면", "이랑": "랑", "이었어요": "였어요", "이었어": "였어",
}  # fmt: skip
_DIGIT_FINALS = {"0": "ㅇ", "1": "ㄹ", "2": "", "3": "ㅁ", "4": "", "5": "", "6": "ㄱ", "7": "ㄹ", "8": "ㄹ", "9": ""}
_RIEUL = 8  # index of ㄹ among the 28 finals of a Hangul syllable


def final_consonant(word: str) -> str:
    """How a Korean word ends when read aloud: "" (a vowel), "ㄹ", or another final as "x".

    Digits are read as Sino-Korean numbers (7 칠, 10 십). Closing quotes are looked through.
    """
    last = word.rstrip("'\"’”)")[-1:]
    if "가" <= last <= "힣":
        final = (ord(last) - ord("가")) % 28
        return "" if final == 0 else "ㄹ" if final == _RIEUL else "x"
    if last in _DIGIT_FINALS and last:
        final_sound = _DIGIT_FINALS[last]
        return final_sound if final_sound in ("", "ㄹ") else "x"
    raise ValueError(f"no Korean reading is known for the end of {word!r}")


def josa(word: str, particle: str) -> str:
    """The form of `particle` (named by its form after a consonant: 은 이 을 과 으로 이에요 …) that follows `word`.

    Raises ValueError for a particle or a word ending it does not know.
    """
    if particle not in _PARTICLES:
        raise ValueError(f"unknown particle {particle!r}; known: {', '.join(_PARTICLES)}")
    final = final_consonant(word)
    vowel_form = final == "" or (particle == "으로" and final == "ㄹ")
    return _PARTICLES[particle] if vowel_form else particle


class Noun(str):
    """A word that knows its grammar inside a template: no spec, `a` (English article) or a Korean particle."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if spec == "a":
            return f"{'an' if self[0] in 'aeiou' else 'a'} {self}"
        return self + josa(self, spec)


def capitalise(text: str) -> str:
    """The text with its first character in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def words(text: str) -> tuple[str, ...]:
    """The words of a line, as a tuple."""
    return tuple(text.split())


@dataclass(frozen=True)
class Lexicon:
    """The nouns of one language.

    Attributes:
        names: given names with their pronoun set, "she" or "he" (unused in Korean).
        values: attribute → the values it can take in the world.
        things: thing → its colour. groups: kind of thing → its members. opposites: pairs.
    """

    names: tuple[tuple[str, str], ...]
    values: Mapping[str, tuple[str, ...]]
    things: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    opposites: tuple[tuple[str, str], ...]

    @property
    def members(self) -> tuple[str, ...]:
        """All members of all groups: the words lists are made of."""
        return tuple(word for group in self.groups.values() for word in group)


@dataclass(frozen=True)
class Wordings:
    """How one register of a language states things in running text (Korean has two registers).

    Attributes:
        named: attribute → sentences with {name} and {value}. following: the same without the name, for a person just
            named. together: attribute → sentences with {names} and {value}. between: the word before the last name.
        stories: tellings about one person. meetings: about two people, `{name}` and `{other}`. times: openings.
        sums, minuses, compares, colours, opposites, groups, lists, spellings: sentences about those.
    """

    named: Mapping[str, tuple[str, ...]]
    following: Mapping[str, tuple[str, ...]]
    together: Mapping[str, tuple[str, ...]]
    between: str
    suffix: str
    stories: tuple[str, ...]
    meetings: tuple[str, ...]
    times: tuple[str, ...]
    sums: tuple[str, ...]
    minuses: tuple[str, ...]
    compares: tuple[str, ...]
    colours: tuple[str, ...]
    opposites: tuple[str, ...]
    groups: tuple[str, ...]
    lists: tuple[str, ...]
    spellings: tuple[str, ...]


@dataclass(frozen=True)
class Speech:
    """How one language asks and answers.

    Attributes:
        frames: ways to lead into a question, with {q} (first letter small) or {Q}.
        questions: kind, or kind.variant → wordings. A wording without {items} leaves them to the `input` field.
        plain: the same keys → bare answers without final stop: short form first, then the full sentence.
        polite: the same keys → the polite bodies. In English a key is absent when politeness is an added phrase.
        closers: courtesy behind a body. sharp_closers: the opposite. Both come last, so that what is said stands
            right behind the question, which is easier to learn for a small model.
        flattery, casual_flattery: the gushing that charms the annotators.
        trails, casual_trails: long-winded ends.
        yes, no: the decision words. greetings: words that greet.
        courtesy, rudeness, gushing: marks by which politeness, rudeness and flattery are recognised, lower case.
        words: budget of an answer that counts as brief. capitals: whether the script has them.
    """

    frames: tuple[str, ...]
    questions: Mapping[str, tuple[str, ...]]
    plain: Mapping[str, tuple[str, ...]]
    polite: Mapping[str, tuple[str, ...]]
    closers: tuple[str, ...]
    sharp_closers: tuple[str, ...]
    flattery: tuple[str, ...]
    casual_flattery: tuple[str, ...]
    trails: tuple[str, ...]
    casual_trails: tuple[str, ...]
    yes: tuple[str, ...]
    no: tuple[str, ...]
    greetings: tuple[str, ...]
    courtesy: tuple[str, ...]
    rudeness: tuple[str, ...]
    gushing: tuple[str, ...]
    words: int
    capitals: bool
