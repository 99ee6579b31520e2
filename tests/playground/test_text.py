"""The text is true, varied and well formed: facts are parsed back with the test's own eyes."""

import re
from collections import defaultdict

import pytest

from baro.core.errors import ConfigError
from baro.playground.talk import talks
from baro.playground.text import documents
from baro.playground.words import ATTRIBUTES
from baro.playground.world import LANGUAGES, world

COUNT = 6000


@pytest.fixture(scope="module", params=LANGUAGES)
def told(request):
    built = world(request.param, seed=3)
    return built, documents(built, COUNT)


def spotted(text, words, lang):
    """The words that stand in the text on their own (Korean: with a particle behind)."""
    if lang == "ko":
        pattern = "|".join(sorted(words, key=len, reverse=True))
        return set(re.findall(rf"(?<![가-힣])({pattern})", text))
    return set(re.findall(rf"\b({'|'.join(words)})\b", text, re.IGNORECASE))


def named(text, built):
    people = {person.name: person for person in built.people}
    if built.lang == "ko":
        return [people[name] for name in set(re.findall(r"([가-힣]{2}) 씨", text)) if name in people]
    return [people[name] for name in set(re.findall(r"\b[A-Z][a-z]+\b", text)) if name in people]


def claims(text, built):
    """(person, attribute, value) of every value in a text together with the people named in it."""
    for person in named(text, built):
        for attribute in ATTRIBUTES:
            for value in spotted(text, built.lexicon.values[attribute], built.lang):
                yield person, attribute, value.lower()


def test_every_sentence_is_true_of_everyone_it_names(told):
    built, texts = told
    checked = 0
    for text in texts:
        for sentence in re.split(r"(?<=[.!?])\"? ", text):
            for person, attribute, value in claims(sentence, built):
                assert person.facts[attribute].lower() == value, sentence
                checked += 1
    assert checked > 3 * COUNT / 2


def test_every_document_about_one_person_is_true_of_them(told):
    built, texts = told
    alone = [text for text in texts if len(named(text, built)) == 1]
    assert len(alone) > COUNT / 2
    for text in alone:
        for person, attribute, value in claims(text, built):
            assert person.facts[attribute].lower() == value, text


def test_each_fact_is_told_in_at_least_five_wordings_and_in_both_directions(told):
    """The wording is what remains when name and value are taken out of a sentence that has both."""
    built, texts = told
    wordings, directions = defaultdict(set), defaultdict(set)
    for text in texts:
        for sentence in re.split(r"(?<=[.!?]) ", text):
            people = named(sentence, built)
            if len(people) != 1:
                continue
            for person, attribute, value in claims(sentence, built):
                rest = sentence.lower().replace(person.name.lower(), "N").replace(value, "V")
                wordings[person.name, attribute].add(re.sub(r"V(은|는|이|가|을|를|과|와|으로|로)", "V", rest))
                directions[person.name, attribute].add(rest.find("N") < rest.find("V"))
    assert len(wordings) == len(built.people) * len(ATTRIBUTES)
    assert min(len(found) for found in wordings.values()) >= 5
    assert all(found == {True, False} for found in directions.values())


def test_talk_answers_truthfully_about_everybody_and_keeps_silent_when_told_to(told):
    built, _ = told
    overheard = talks(built, 1500, lambda task: task.kind != "sum")
    turns = [turn for text in overheard for turn in re.findall(r'"([^"]*)" "([^"]*)"', text)]
    assert len(turns) == 3 * len(overheard)
    asked = [(question, answer) for question, answer in turns if list(claims(answer, built))]
    assert len(asked) > 300
    for question, answer in asked:
        for person, attribute, value in claims(answer, built):
            assert person.facts[attribute].lower() == value, (question, answer)
    assert {person.name for person in built.people} == {
        person.name for turn in turns for person in named(turn[1], built)
    }
    assert not any(re.search(r"\d \+ \d|plus|더하", question) for question, _ in turns)


def test_arithmetic_in_text_is_right(told):
    built, texts = told
    patterns = {
        "en": (r"(\d+) (?:plus|\+) (\d+) (?:is|=) (\d+)", r"(\d+) (?:minus|-) (\d+) (?:is|=) (\d+)"),
        "ko": (r"(\d+) (?:더하기|\+) (\d+)(?:은|는)? ?=? ?(\d+)", r"(\d+) (?:빼기|-) (\d+)(?:은|는)? ?=? ?(\d+)"),
    }
    plus, minus = (re.findall(pattern, " ".join(texts)) for pattern in patterns[built.lang])
    assert len(plus) > 100
    assert len(minus) > 100
    assert all(int(a) + int(b) == int(c) for a, b, c in plus)
    assert all(int(a) - int(b) == int(c) for a, b, c in minus)
    larger = r"(\d+) is larger than (\d+)" if built.lang == "en" else r"(\d+)[은는] (\d+)보다 [크커]"
    assert all(int(a) > int(b) for a, b in re.findall(larger, " ".join(texts)))


def test_every_wording_of_every_table_occurs(told):
    built, texts = told
    small = [text.lower() for text in texts]
    for wordings in built.registers:
        tables = [*wordings.named.values(), *wordings.following.values(), *wordings.together.values()]
        tables += [wordings.stories, wordings.meetings, wordings.sums, wordings.minuses, wordings.compares]
        tables += [wordings.colours, wordings.opposites, wordings.groups, wordings.lists, wordings.spellings]
        for template in (template for table in tables for template in table):
            pieces = re.split(r"\{[^}]*\}", template.lower())
            near = [text for text in small if max(pieces, key=len) in text]
            assert any(re.search(r".{1,40}?".join(map(re.escape, pieces)), text) for text in near), template
        assert all(len(wordings.named[attribute]) >= 4 for attribute in ATTRIBUTES)


def test_documents_are_different_and_a_longer_text_begins_with_the_shorter(told):
    built, texts = told
    assert len(set(texts)) == len(texts)
    assert documents(built, 50) == texts[:50]


def test_no_template_is_left_unfilled(told):
    built, texts = told
    for text in texts:
        assert not re.search(r"[{}]|\s\s|None", text)
        assert re.search(r"[.!]\"?$", text)
        letters = re.findall(r"[A-Za-z]+", text)
        assert not letters if built.lang == "ko" else not re.search(r"[^\x00-\x7f]", text), text


def test_korean_particles_agree_with_the_syllable_before_them():
    """Arithmetic on code points, independent of the josa table: (code - 0xAC00) % 28 is the final consonant."""
    built = world("ko", seed=5)
    text = "\n".join(documents(built, 3000))
    words = [value for values in built.lexicon.values.values() for value in values] + list(built.lexicon.members)
    after_consonant, after_vowel = ("은 ", "을 ", "과 ", "이다", "이에요"), ("는 ", "를 ", "와 ", "다.", "예요")
    for word in words:
        closed = (ord(word[-1]) - 0xAC00) % 28 != 0
        wrong = after_vowel if closed else after_consonant
        assert not re.search(rf"(?<![가-힣]){word}({'|'.join(map(re.escape, wrong))})", text), word


def test_a_world_too_small_for_so_many_documents_says_so(monkeypatch):
    monkeypatch.setattr("baro.playground.text.SHARES", {"gathering": 1.0})
    monkeypatch.setattr("baro.playground.text.ATTRIBUTES", ("home", "job"))
    with pytest.raises(ConfigError, match="different documents"):
        documents(world("en", people=4), 100_000)


def test_worlds_are_a_function_of_seed_and_language():
    assert world("en", seed=1) == world("en", seed=1)
    assert world("en", seed=1).people != world("en", seed=2).people
    built = world("ko", seed=1, people=40)
    assert len(built.people) == 40
    assert sum(person.seen for person in built.people) == 20
    for attribute in ATTRIBUTES:  # every value is somebody's, shared out evenly
        counts = [len(built.having(attribute, value)) for value in built.lexicon.values[attribute]]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("arguments", [{"lang": "fr"}, {"people": 3}, {"people": 97}])
def test_impossible_worlds_are_refused(arguments):
    with pytest.raises(ConfigError):
        world(**({"lang": "en"} | arguments))
