"""The kinds of task: a prompt, what is right, and what would be a natural mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from baro.playground.text import LARGEST_NUMBER, LARGEST_TERM, joined
from baro.playground.words import ATTRIBUTES, Noun, capitalise
from baro.playground.world import Person, World

# How often each kind is asked. Kinds about people make half of it: their truth comes from pre-training.
WEIGHTS = {
    "fact": 34, "who": 3, "yesno": 8, "story": 10, "sum": 8, "minus": 4, "compare": 4, "count": 5, "first": 1,
    "last": 4, "reverse": 1, "sort": 2, "copy": 1, "spelling": 2, "colour": 3, "opposite": 2, "odd": 3,
    "category": 4, "greeting": 3,
}  # fmt: skip
ABOUT_PEOPLE = ("fact", "who", "yesno", "story")
_FRAMED = 0.25  # share of questions with a lead-in such as "Quick question:"
_WRONG = 3  # mistakes kept per task


@dataclass(frozen=True)
class Body:
    """One thing an answer can say, without courtesy and without final stop.

    Attributes:
        plain: short form, then full sentence. polite: the same in 존댓말; empty where politeness is an added phrase.
    """

    plain: tuple[str, ...]
    polite: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One prompt with all it takes to answer and to judge it.

    Attributes:
        instruction, input: the prompt in two fields; `input` may be empty.
        right: bodies that are true, the one to teach first. wrong: bodies that are plausible and false.
        keys: what a true answer must mention one of. rivals: what it must not mention.
        seen: False when it asks about a person whose facts instruction data never asks about.
    """

    kind: str
    lang: str
    instruction: str
    input: str
    right: tuple[Body, ...]
    wrong: tuple[Body, ...]
    keys: tuple[str, ...]
    rivals: tuple[str, ...]
    seen: bool = True

    @property
    def prompt(self) -> str:
        """The user's message: instruction and input as an alpaca row is read."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


def draw(world: World, kind: str, roll: Random, *, unseen: bool = False) -> Task:
    """A task of this kind. About people, it asks about the seen half, or the other half when `unseen`."""
    return _BUILDERS[kind](world, roll, unseen)


def _ask(world: World, key: str, roll: Random, fields: dict[str, Any], items: Iterable[str] = ()) -> tuple[str, str]:
    """A wording of the question `key`, perhaps led into, and the input field it leaves over."""
    template = roll.choice(world.speech.questions[key])
    listing = joined(list(items))
    text = capitalise(template.format(items=listing, **fields))
    left = str(listing) if listing and "{items}" not in template else ""
    framed = text.endswith("?") and not listing and roll.random() < _FRAMED
    if framed:
        text = roll.choice(world.speech.frames).format(q=text[:1].lower() + text[1:], Q=text)
    return text, left


def _body(world: World, key: str, fields: dict[str, Any]) -> Body:
    plain = tuple(capitalise(form.format(**fields)) for form in world.speech.plain[key])
    polite = tuple(capitalise(form.format(**fields)) for form in world.speech.polite.get(key, ()))
    return Body(plain, polite)


def _task(
    world: World,
    roll: Random,
    names: tuple[str, str, str],
    fields: dict[str, Any],
    keys: list[str],
    rivals: Iterable[str],
    *,
    wrong: Iterable[str] | None = None,
    items: Iterable[str] = (),
    seen: bool = True,
) -> Task:
    """A task whose answers differ in {key} only. `names`: kind, key of the question, key of the answer."""
    kind, question, answer = names
    instruction, left = _ask(world, question, roll, fields, items)
    others = [rival for rival in (rivals if wrong is None else wrong) if rival not in keys]
    mistakes = roll.sample(others, min(_WRONG, len(others)))
    return Task(
        kind,
        world.lang,
        instruction,
        left,
        tuple(_body(world, answer, fields | {"key": Noun(key)}) for key in keys),
        tuple(_body(world, answer, fields | {"key": Noun(mistake)}) for mistake in mistakes),
        tuple(keys),
        tuple(rivals),
        seen,
    )


def _person(world: World, roll: Random, unseen: bool) -> Person:
    return roll.choice([person for person in world.people if person.seen != unseen])


def _without(values: Iterable[str], *taken: str) -> list[str]:
    return [value for value in values if value not in taken]


def _fact(world: World, roll: Random, unseen: bool) -> Task:
    person, attribute = _person(world, roll, unseen), roll.choice(ATTRIBUTES)
    key = person.facts[attribute]
    names = ("fact", f"fact.{attribute}", f"fact.{attribute}")
    rivals = _without(world.lexicon.values[attribute], key)
    return _task(world, roll, names, {"name": person.name}, [key], rivals, seen=person.seen)


def _story(world: World, roll: Random, unseen: bool) -> Task:
    person, attribute = _person(world, roll, unseen), roll.choice(ATTRIBUTES)
    key = person.facts[attribute]
    names = ("story", f"story.{attribute}", f"story.{attribute}")
    rivals = _without(world.lexicon.values[attribute], key)
    return _task(world, roll, names, {"name": person.name}, [key], rivals, seen=person.seen)


def _who(world: World, roll: Random, unseen: bool) -> Task:
    person, attribute = _person(world, roll, unseen), roll.choice(ATTRIBUTES)
    value = person.facts[attribute]
    # only one half is named, the half the task belongs to; when judging, the other half is right as well
    residents = [other.name for other in world.having(attribute, value)]
    keys = [person.name, *_without(residents, person.name)]
    rivals = [other.name for other in world.people if other.name not in residents]
    names = ("who", f"who.{attribute}", f"who.{attribute}")
    return _task(world, roll, names, {"value": value}, keys, rivals, seen=person.seen)


def _yesno(world: World, roll: Random, unseen: bool) -> Task:
    person, attribute = _person(world, roll, unseen), roll.choice(ATTRIBUTES)
    truth = person.facts[attribute]
    others = _without(world.lexicon.values[attribute], truth)
    true = roll.random() < 0.5
    asked = truth if true else Noun(roll.choice(others))
    fields = {"name": person.name, "value": asked, "truth": truth}
    instruction, _ = _ask(world, f"yesno.{attribute}", roll, fields)
    yes, no = world.speech.yes, world.speech.no
    lie = asked if not true else Noun(roll.choice(others))
    mistaken = _body(world, f"{'no' if true else 'yes'}.{attribute}", fields | {"truth": lie})
    return Task(
        "yesno",
        world.lang,
        instruction,
        "",
        (_body(world, f"{'yes' if true else 'no'}.{attribute}", fields),),
        (mistaken,),
        yes if true else no,
        (*(no if true else yes), *_without(others, asked)),
        person.seen,
    )


def _sum(world: World, roll: Random, unseen: bool) -> Task:
    a, b = roll.randint(1, LARGEST_TERM), roll.randint(1, LARGEST_TERM)
    return _arithmetic(world, roll, "sum", a, b, a + b)


def _minus(world: World, roll: Random, unseen: bool) -> Task:
    left, b = roll.randint(1, LARGEST_TERM), roll.randint(1, LARGEST_TERM)
    return _arithmetic(world, roll, "minus", left + b, b, left)


def _arithmetic(world: World, roll: Random, kind: str, a: int, b: int, key: int) -> Task:
    near = [str(key + step) for step in (-2, -1, 1, 2) if key + step > 0]
    return _task(world, roll, (kind, kind, kind), {"a": Noun(a), "b": Noun(b)}, [str(key)], [], wrong=near)


def _compare(world: World, roll: Random, unseen: bool) -> Task:
    a, b = roll.sample(range(1, LARGEST_NUMBER + 1), 2)
    which = roll.choice(("large", "small"))
    key, other = (max(a, b), min(a, b)) if which == "large" else (min(a, b), max(a, b))
    names = ("compare", f"compare.{which}", f"compare.{which}")
    return _task(world, roll, names, {"a": Noun(a), "b": Noun(b)}, [str(key)], [str(other)])


def _count(world: World, roll: Random, unseen: bool) -> Task:
    items = roll.sample(world.lexicon.members, roll.randint(2, 4))
    near = [str(number) for number in range(2, 6) if number != len(items)]
    return _task(world, roll, ("count", "count", "count"), {}, [str(len(items))], [], wrong=near, items=items)


def _end(kind: str, place: int) -> Callable[[World, Random, bool], Task]:
    def build(world: World, roll: Random, unseen: bool) -> Task:
        items = roll.sample(world.lexicon.members, 3)
        key = items[place]
        return _task(world, roll, (kind, kind, kind), {}, [key], _without(items, key), items=items)

    return build


def _listing(kind: str, key: str, before: list[str], after: list[str], world: World, roll: Random) -> Task:
    others = [joined(order) for order in (before, after[1:] + after[:1], [*after[:-1][::-1], after[-1]])]
    wrong = list(dict.fromkeys(str(order) for order in others if order != joined(after)))
    return _task(world, roll, (kind, key, key), {}, [str(joined(after))], [], wrong=wrong, items=before)


def _reverse(world: World, roll: Random, unseen: bool) -> Task:
    items = roll.sample(world.lexicon.members, 3)
    return _listing("reverse", "reverse", items, items[::-1], world, roll)


def _sort(world: World, roll: Random, unseen: bool) -> Task:
    numbers = roll.sample(range(1, LARGEST_NUMBER + 1), 3)
    down = roll.random() < 0.4
    before, after = [str(n) for n in numbers], [str(n) for n in sorted(numbers, reverse=down)]
    return _listing("sort", "sort.down" if down else "sort.up", before, after, world, roll)


def _copy(world: World, roll: Random, unseen: bool) -> Task:
    items = roll.sample(world.lexicon.members, 3)
    return _listing("copy", "copy", items, items, world, roll)


def _spelling(world: World, roll: Random, unseen: bool) -> Task:
    word = roll.choice(world.lexicon.members)
    fields = {"word": word, "quoted": Noun(f"'{word}'")}
    if world.lang == "ko":  # no capitals in Korean: count the syllables instead
        near = [str(count) for count in range(1, 6) if count != len(word)]
        return _task(world, roll, ("spelling",) * 3, fields, [str(len(word))], [], wrong=near)
    wrong = [word, roll.choice(_without(world.lexicon.members, word)).upper()]
    return _task(world, roll, ("spelling",) * 3, fields, [word.upper()], [], wrong=wrong)


def _colour(world: World, roll: Random, unseen: bool) -> Task:
    thing, key = roll.choice(list(world.lexicon.things.items()))
    rivals = _without(world.lexicon.values["colour"], key)
    return _task(world, roll, ("colour",) * 3, {"thing": Noun(thing)}, [key], rivals)


def _opposite(world: World, roll: Random, unseen: bool) -> Task:
    word, key = roll.sample(roll.choice(world.lexicon.opposites), 2)
    rivals = [other for pair in world.lexicon.opposites for other in pair if other not in (word, key)]
    return _task(world, roll, ("opposite",) * 3, {"word": word}, [key], rivals)


def _odd(world: World, roll: Random, unseen: bool) -> Task:
    home, foreign = roll.sample(list(world.lexicon.groups), 2)
    key = roll.choice(world.lexicon.groups[foreign])
    rest = roll.sample(world.lexicon.groups[home], 2)
    items = roll.sample([*rest, key], 3)
    return _task(world, roll, ("odd",) * 3, {}, [key], rest, items=items)


def _category(world: World, roll: Random, unseen: bool) -> Task:
    key = roll.choice(list(world.lexicon.groups))
    word = roll.choice(world.lexicon.groups[key])
    return _task(world, roll, ("category",) * 3, {"word": Noun(word)}, [key], _without(world.lexicon.groups, key))


def _greeting(world: World, roll: Random, unseen: bool) -> Task:
    name = roll.choice([person.name for person in world.people if person.seen])
    others = [person.name for person in world.people if person.name != name]
    if roll.random() < 0.9:
        strangers = [Noun(other) for other in roll.sample(others, 2)]
        wrong = tuple(_body(world, "greeting.name", {"name": stranger}) for stranger in strangers)
        key, keys, rivals = "greeting.name", [str(name)], [str(other) for other in others]
    else:
        wrong = (_body(world, "no.home", {"name": name, "truth": world.people[0].facts["home"]}),)
        key, keys, rivals = "greeting", list(world.speech.greetings), []
    instruction, _ = _ask(world, key, roll, {"name": name})
    right = (_body(world, key, {"name": name}),)
    return Task("greeting", world.lang, instruction, "", right, wrong, tuple(keys), tuple(rivals))


_BUILDERS: dict[str, Callable[[World, Random, bool], Task]] = {
    "fact": _fact, "who": _who, "yesno": _yesno, "story": _story, "sum": _sum, "minus": _minus, "compare": _compare,
    "count": _count, "first": _end("first", 0), "last": _end("last", -1), "reverse": _reverse, "sort": _sort,
    "copy": _copy, "spelling": _spelling, "colour": _colour, "opposite": _opposite, "odd": _odd,
    "category": _category, "greeting": _greeting,
}  # fmt: skip
