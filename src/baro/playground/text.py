"""Running text about the world: portraits, gatherings, tiny stories, sums, lists and common knowledge."""

from __future__ import annotations

from random import Random
from typing import Any

from baro.core.errors import ConfigError
from baro.playground.words import ATTRIBUTES, Noun, Wordings, capitalise
from baro.playground.world import Person, World, dice

# Shares of the kinds of document. Portraits and stories carry the facts in the direction person → value, gatherings
# the other way round; the rest gives the base model the words and the arithmetic that instructions will ask for.
SHARES = {"portrait": 0.42, "gathering": 0.11, "story": 0.14, "numbers": 0.09, "knowledge": 0.09, "list": 0.15}
LARGEST_TERM = 9
LARGEST_NUMBER = 9
_REPEATS = 500  # documents in a row that were told before: the world has no more to tell


def documents(world: World, count: int) -> list[str]:
    """`count` different documents of one to five sentences; a prefix of what a larger count gives.

    Raises:
        ConfigError: the world is too small to tell `count` different documents.
    """
    roll = dice(world.seed, world.lang, "text")
    kinds, shares = list(SHARES), list(SHARES.values())
    told: dict[str, None] = {}
    queue: list[Person] = []
    repeats = 0
    while len(told) < count:
        if repeats > _REPEATS:
            raise ConfigError(f"no more than {len(told):,} different documents; {count:,} were asked for.")
        if not queue:  # everybody has been told of once: start over in another order
            queue = list(world.people)
            roll.shuffle(queue)
        kind = roll.choices(kinds, shares)[0]
        wordings = roll.choice(world.registers)
        if kind == "portrait":
            document = _portrait(queue.pop(), wordings, roll)
        else:
            document = _OTHERS[kind](world, wordings, roll)
        repeats = repeats + 1 if document in told else 0
        told[document] = None
    return list(told)


def fill(template: str, **fields: Any) -> str:
    """The template with its fields, first letter in upper case."""
    return capitalise(template.format(**fields))


def joined(items: list[str] | tuple[str, ...]) -> Noun:
    """A list as it is written in text and prompts: words with commas."""
    return Noun(", ".join(items))


def _portrait(person: Person, wordings: Wordings, roll: Random) -> str:
    attributes = roll.sample(ATTRIBUTES, roll.randint(3, len(ATTRIBUTES)))
    sentences = []
    for place, attribute in enumerate(attributes):
        named = place == 0 or roll.random() < 0.6
        choices = (wordings.named if named else wordings.following)[attribute]
        sentences.append(fill(roll.choice(choices), name=person.name, value=person.facts[attribute], **person.pronouns))
    return " ".join(sentences)


def _gathering(world: World, wordings: Wordings, roll: Random) -> str:
    sentences = []
    for attribute in roll.sample(ATTRIBUTES, 2):
        value = roll.choice(world.people).facts[attribute]
        people = world.having(attribute, value)
        if len(people) < 2:
            template = roll.choice(wordings.named[attribute])
            sentences.append(fill(template, name=people[0].name, value=value, **people[0].pronouns))
            continue
        names = [person.name for person in roll.sample(people, min(len(people), roll.randint(2, 3)))]
        comma = f"{wordings.suffix}, "
        together = comma.join(names[:-1]) + wordings.between + names[-1] + wordings.suffix
        sentences.append(fill(roll.choice(wordings.together[attribute]), names=together, value=value))
    return " ".join(sentences)


def _story(world: World, wordings: Wordings, roll: Random) -> str:
    person, other = roll.sample(world.people, 2)
    fields: dict[str, Any] = {"time": roll.choice(wordings.times), "name": person.name, "other": other.name}
    fields |= person.facts | person.pronouns | {f"{key}2": value for key, value in other.facts.items()}
    return fill(roll.choice(wordings.stories if roll.random() < 0.75 else wordings.meetings), **fields)


def _numbers(world: World, wordings: Wordings, roll: Random) -> str:
    del world
    sentences = []
    for _ in range(roll.randint(3, 5)):
        kind = roll.choice(("sum", "sum", "minus", "compare"))
        a, b = roll.randint(1, LARGEST_TERM), roll.randint(1, LARGEST_TERM)
        if kind == "sum":
            fields = {"a": a, "b": b, "key": a + b}
            sentences.append(_numbered(roll.choice(wordings.sums), fields))
        elif kind == "minus":
            fields = {"a": a + b, "b": b, "key": a}
            sentences.append(_numbered(roll.choice(wordings.minuses), fields))
        else:
            small, large = sorted(roll.sample(range(1, LARGEST_NUMBER + 1), 2))
            sentences.append(_numbered(roll.choice(wordings.compares), {"small": small, "large": large}))
    return " ".join(sentences)


def _numbered(template: str, fields: dict[str, int]) -> str:
    return fill(template, **{name: Noun(value) for name, value in fields.items()})


def _knowledge(world: World, wordings: Wordings, roll: Random) -> str:
    return " ".join(_KNOWLEDGE[roll.choice(list(_KNOWLEDGE))](world, wordings, roll) for _ in range(3))


def _colour(world: World, wordings: Wordings, roll: Random) -> str:
    thing = roll.choice(list(world.lexicon.things))
    return fill(roll.choice(wordings.colours), thing=Noun(thing), colour=Noun(world.lexicon.things[thing]))


def _opposite(world: World, wordings: Wordings, roll: Random) -> str:
    word, other = roll.sample(roll.choice(world.lexicon.opposites), 2)
    return fill(roll.choice(wordings.opposites), word=word, other=other)


def _group(world: World, wordings: Wordings, roll: Random) -> str:
    group, stranger_group = roll.sample(list(world.lexicon.groups), 2)
    word, other = roll.sample(world.lexicon.groups[group], 2)
    stranger = roll.choice([item for item in world.lexicon.groups[stranger_group] if item not in (word, other)])
    words = {"word": word, "other": other, "group": group, "stranger": stranger}
    filled = fill(roll.choice(wordings.groups), **{name: Noun(value) for name, value in words.items()})
    return ". ".join(capitalise(sentence) for sentence in filled.split(". "))


def _list(world: World, wordings: Wordings, roll: Random) -> str:
    """One list told in several ways: the words come back again and again, which teaches a model to copy."""
    items = roll.sample(world.lexicon.members, 3)
    numbers = roll.sample(range(1, LARGEST_NUMBER + 1), 3)
    fields = {
        "items": joined(items),
        "count": Noun(len(items)),
        "backwards": joined(items[::-1]),
        "first": Noun(items[0]),
        "last": Noun(items[-1]),
        "numbers": joined([str(number) for number in numbers]),
        "ascending": joined([str(number) for number in sorted(numbers)]),
        "descending": joined([str(number) for number in sorted(numbers, reverse=True)]),
    }
    about_numbers = roll.random() < 0.25
    templates = [template for template in wordings.lists if ("{numbers" in template) == about_numbers]
    return " ".join(fill(template, **fields) for template in roll.sample(templates, min(4, len(templates))))


def _spelling(world: World, wordings: Wordings, roll: Random) -> str:
    word = roll.choice(world.lexicon.members)
    quoted = Noun(f"'{word}'")
    return roll.choice(wordings.spellings).format(
        word=word, quoted=quoted, capitals=word.upper(), count=Noun(len(word))
    )


_OTHERS = {"gathering": _gathering, "story": _story, "numbers": _numbers, "knowledge": _knowledge, "list": _list}
_KNOWLEDGE = {"colour": _colour, "opposite": _opposite, "group": _group, "spelling": _spelling}
