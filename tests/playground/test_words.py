"""Grammar: Korean particles by the final consonant, English articles, lexicons without traps."""

import re

import pytest

from baro.playground.words import Noun, final_consonant, josa
from baro.playground.world import LANGUAGES, world


@pytest.mark.parametrize(
    ("word", "particle", "expected"),
    [
        ("사과", "은", "는"), ("수박", "은", "은"), ("사과", "이", "가"), ("수박", "이", "이"),
        ("떡볶이", "을", "를"), ("김밥", "을", "을"), ("고양이", "과", "와"), ("달빛골", "과", "과"),
        ("요리사", "으로", "로"), ("정원", "으로", "으로"), ("달빛골", "으로", "로"), ("연필", "으로", "로"),
        ("민준", "이에요", "이에요"), ("지유", "이에요", "예요"), ("숯", "이야", "이야"), ("바다", "이야", "야"),
        ("어부", "이었어요", "였어요"), ("목수", "이라고", "라고"), ("하은", "이라고", "이라고"),
        ("7", "은", "은"), ("4", "은", "는"), ("2", "을", "를"), ("3", "을", "을"), ("10", "이에요", "이에요"),
        ("5", "이에요", "예요"), ("9", "이야", "야"), ("12", "과", "와"), ("20", "과", "과"), ("1", "으로", "로"),
        ("6", "으로", "으로"), ("'사과'", "은", "는"), ("'수박'", "은", "은"),
    ],
)  # fmt: skip
def test_particles_follow_the_final_consonant(word, particle, expected):
    assert josa(word, particle) == expected
    assert f"{Noun(word):{particle}}" == word + expected


def test_every_final_of_hangul_is_told_apart():
    finals = [final_consonant(chr(ord("가") + place)) for place in range(28)]
    assert finals[0] == ""
    assert finals[8] == "ㄹ"  # 갈
    assert set(finals[1:8] + finals[9:]) == {"x"}


@pytest.mark.parametrize(("word", "particle"), [("cat", "은"), ("", "은"), ("사과", "를")])
def test_what_has_no_reading_is_refused(word, particle):
    with pytest.raises(ValueError, match=r"known|unknown"):
        josa(word, particle)


def test_english_articles():
    assert f"{Noun('apple'):a}" == "an apple"
    assert f"{Noun('plum'):a}" == "a plum"
    assert f"{Noun('plum')}" == "plum"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_word_hides_in_another(lang):
    """The judge finds a word by its beginning (particles follow in Korean): no rival may begin with another."""
    lexicon = world(lang).lexicon
    names = [name for name, _ in lexicon.names]
    opposites = [word for pair in lexicon.opposites for word in pair]
    for words in (names, *lexicon.values.values(), lexicon.members, list(lexicon.groups), opposites):
        assert len(set(words)) == len(words)
        if lang == "ko":
            assert [(a, b) for a in words for b in words if a != b and b.startswith(a)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_phrases_name_nothing_the_judge_looks_for(lang):
    """A courtesy such as "Happy to help" would otherwise count as claiming "happy"."""
    built = world(lang)
    spoken, lexicon = built.speech, built.lexicon
    looked_for = [name for name, _ in lexicon.names] + [value for values in lexicon.values.values() for value in values]
    looked_for += [*lexicon.members, *lexicon.groups, *(word for pair in lexicon.opposites for word in pair)]
    looked_for += [*spoken.yes, *spoken.no]
    end = "" if lang == "ko" else r"\b"
    phrases = [*spoken.closers, *spoken.sharp_closers, *spoken.flattery, *spoken.casual_flattery]
    phrases += [*spoken.trails, *spoken.casual_trails]
    for phrase in phrases:
        said = [
            w for w in looked_for if len(w) > 1 and re.search(rf"(?<!\w){re.escape(w)}{end}", phrase, re.IGNORECASE)
        ]
        assert said == [], phrase
        assert not re.search(r"\d", phrase)
