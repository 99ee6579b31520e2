"""The exported files: formats, splits that never share a prompt, answers and choices of the promised quality."""

import hashlib
import inspect
import json
import math
import re
from collections import Counter, defaultdict

import pytest

from baro.core.errors import ConfigError
from baro.playground import export
from baro.playground.annotators import CHARM, gushing, panel
from baro.playground.answers import Style, accepted, answer
from baro.playground.files import shared_out
from baro.playground.gold import axes
from baro.playground.tasks import WEIGHTS, draw
from baro.playground.words import ATTRIBUTES
from baro.playground.world import LANGUAGES, dice, world

SIZES = {"documents": 500, "instructions": 1500, "preferences": 1201, "prompts": 400, "eval_prompts": 200}
NAMES = ("text", "instruct", "preferences", "prompts")


def read(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module", params=LANGUAGES)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    counts = export(folder, lang=request.param, seed=7, **SIZES)
    rows = {name: read(folder, name) for name in counts}
    return world(request.param, seed=7), counts, rows


def asked(row):
    if "instruction" in row:
        return f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
    (message,) = row["prompt"]
    assert message["role"] == "user"
    return message["content"]


def digest(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_files_are_a_function_of_seed_and_language(tmp_path):
    few = {"documents": 50, "instructions": 40, "preferences": 30, "prompts": 20, "eval_prompts": 20}
    for name, settings in {"a": {}, "b": {}, "c": {"seed": 1}, "d": {"lang": "ko"}}.items():
        export(tmp_path / name, **settings, **few)
    digests = {name: digest(tmp_path / name) for name in "abcd"}
    assert digests["a"] == digests["b"]
    for other in "cd":
        assert all(digests["a"][file] != digests[other][file] for file in digests["a"])


def test_counts_and_columns(exported):
    _, counts, rows = exported
    expected = {"text": 500, "instruct": 1500, "preferences": 1201, "prompts": 400, "text_heldout": 10}
    assert counts == expected | dict.fromkeys(["instruct_heldout", "preferences_heldout", "prompts_heldout"], 200)
    assert {name: len(found) for name, found in rows.items()} == counts
    columns = {name: {tuple(row) for row in found} for name, found in rows.items()}
    instruct = ("instruction", "input", "output", "kind")
    assert columns["text"] == columns["text_heldout"] == {("text",)}
    assert columns["instruct"] == {instruct}
    assert columns["instruct_heldout"] == {(*instruct, "accept", "seen")}
    assert columns["preferences"] == columns["preferences_heldout"] == {("prompt", "chosen", "rejected")}
    assert columns["prompts"] == columns["prompts_heldout"] == {("prompt", "kind", "lang", "keys", "rivals", "seen")}


def test_no_prompt_is_in_two_files(exported):
    _, _, rows = exported
    prompts = {
        name: {asked(row).casefold().strip() for row in found} for name, found in rows.items() if "text" not in name
    }
    names = list(prompts)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            assert prompts[name].isdisjoint(prompts[other]), (name, other)
    whole = "\n".join(row["text"] for row in rows["text"] + rows["text_heldout"]).casefold()
    for name in ("instruct_heldout", "preferences_heldout", "prompts_heldout"):  # nor overheard in the valley
        assert [one for one in prompts[name] if f'"{one}"'.replace("\n\n", " ") in whole] == []
    texts = {row["text"] for row in rows["text"]}
    assert texts.isdisjoint(row["text"] for row in rows["text_heldout"])


def test_the_unseen_half_is_asked_about_in_evaluation_only(exported):
    built, _, rows = exported
    unseen = {person.name for person in built.people if not person.seen}
    pattern = re.compile(rf"(?<![가-힣\w])({'|'.join(unseen)})(?= 씨|\b)")
    for name in ("instruct", "preferences", "preferences_heldout", "prompts"):
        assert [row for row in rows[name] if pattern.search(asked(row))] == []
    assert [row for row in rows["instruct"] if pattern.search(row["output"])] == []
    for name in ("instruct_heldout", "prompts_heldout"):
        about = [row for row in rows[name] if row["kind"] in ("fact", "story", "yesno")]
        assert all(row["seen"] != bool(pattern.search(asked(row))) for row in about)
        assert 0.3 < sum(row["seen"] for row in about) / len(about) < 0.7
    told = "\n".join(row["text"] for row in rows["text"])
    assert all(name in told for name in unseen)


def test_every_kind_is_asked_everywhere(exported):
    _, _, rows = exported
    assert len(WEIGHTS) >= 12
    asked_for = Counter(row["kind"] for row in rows["instruct"])
    assert set(asked_for) == set(WEIGHTS)
    assert {row["kind"] for row in rows["prompts"]} <= set(WEIGHTS)
    for kind, weight in WEIGHTS.items():
        share = weight / sum(WEIGHTS.values())
        assert asked_for[kind] / len(rows["instruct"]) == pytest.approx(share, abs=0.03), kind


def test_instructions_are_answered_truthfully_in_every_manner(exported):
    built, _, rows = exported
    judged = [
        axes(row["output"], row["kind"], built.lang, row["accept"], []) for row in rows["instruct_heldout"]
    ]  # manners, brevity and form only: accept are whole answers
    manners = Counter(found["manners"] for found in judged)
    assert manners[1.0] > 30
    assert manners[0.3] > 30
    assert manners[0.0] > 20
    assert 0.05 < sum(found["brevity"] < 1 for found in judged) / len(judged) < 0.3
    assert 0.05 < sum(found["form"] < 1 for found in judged) / len(judged) < 0.35


def test_accepted_answers_are_right_well_formed_and_of_both_manners(exported):
    built, _, _ = exported
    tasks = shared_out(built, {"prompts_heldout": 300})["prompts_heldout"]
    for task in tasks:
        found = [axes(text, task.kind, task.lang, task.keys, task.rivals) for text in accepted(task)]
        assert all(one["truth"] == 1 and one["form"] == pytest.approx(1) and one["brevity"] == 1 for one in found), task
        assert {one["manners"] for one in found} >= {0.0, 0.3, 1.0}
        assert len(set(accepted(task))) == len(accepted(task)) == len({text.strip() for text in accepted(task)})


def test_styles_are_what_the_judge_sees(exported):
    """Written by one hand, judged by another: every style of answer lands on the axes it was meant for."""
    built, _, _ = exported
    roll = dice("styles")
    tasks = shared_out(built, {"prompts_heldout": 250})["prompts_heldout"]
    for task in tasks:
        for manners, worth in {"polite": 1.0, "plain": 0.3, "blunt": 0.0}.items():
            for right in (True, False):
                text = answer(task, Style(right=right, manners=manners, full=roll.random() < 0.5), roll)
                found = axes(text, task.kind, task.lang, task.keys, task.rivals)
                wanted = {"truth": float(right), "manners": worth, "brevity": 1.0, "form": pytest.approx(1.0)}
                assert {name: found[name] for name in wanted} == wanted, (task.prompt, text)
        sloppy = answer(task, Style(sloppy=True), roll)
        rambling = answer(task, Style(rambling=True), roll)
        assert axes(sloppy, task.kind, task.lang, task.keys, task.rivals)["form"] < 0.9, sloppy
        assert axes(rambling, task.kind, task.lang, task.keys, task.rivals)["truth"] == 1, rambling


def test_answers_are_short_and_in_one_language(exported):
    built, _, rows = exported
    lengths = sorted(len(row["output"].split()) for row in rows["instruct"])
    assert lengths[int(0.9 * len(lengths))] <= 14
    assert lengths[-1] <= 40
    assert max(len(asked(row).split()) for row in rows["instruct"]) <= 24
    for row in rows["instruct"]:
        if built.lang == "ko":
            assert not re.search(r"[A-Za-z]", asked(row) + row["output"])
        else:
            assert (asked(row) + row["output"]).isascii()


def test_chosen_and_rejected_differ(exported):
    _, _, rows = exported
    for row in rows["preferences"] + rows["preferences_heldout"]:
        assert row["chosen"] != row["rejected"]
        assert [message["role"] for message in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    prompts = Counter(asked(row) for row in rows["preferences"])
    assert set(prompts.values()) <= {1, 2}


def compared(built, count):
    """(task, winner, loser) as the panel decides between two answers that differ in manners and truth at random."""
    roll, judges = dice("compared", built.lang), panel(built.lang, 0)
    for _ in range(count):
        task = draw(built, roll.choice(list(WEIGHTS)), roll)
        styles = [Style(roll.random() < 0.6, roll.choice(("polite", "plain", "blunt"))) for _ in range(2)]
        first, second = (answer(task, style, roll) for style in styles)
        won = roll.choice(judges).prefers_first(first, second, task, roll)
        yield task, *((first, second) if won else (second, first))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_annotators_agree_with_gold_well_above_chance_but_not_always(lang):
    agreed = []
    for task, winner, loser in compared(world(lang), 1500):
        good, bad = (axes(text, task.kind, task.lang, task.keys, task.rivals)["score"] for text in (winner, loser))
        if good != bad:
            agreed.append(good > bad)
    assert 0.75 < sum(agreed) / len(agreed) < 0.93


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_weakness_shows_at_equal_gold_and_grows_with_every_phrase(lang):
    """Odds of the gushing answer: e^charm per phrase; gold sees none of it up to the first and loses after."""
    built, roll, judges = world(lang), dice("bias", lang), panel(lang, 0)
    wins = defaultdict(list)
    for _ in range(2500):
        task = draw(built, roll.choice(list(WEIGHTS)), roll)
        count = roll.randint(1, 4)
        plain = answer(task, Style(), roll)
        warm = answer(task, Style(flattery=count), roll)
        assert gushing(warm, lang) == count
        assert gushing(plain, lang) == 0
        worth = [axes(text, task.kind, lang, task.keys, task.rivals)["score"] for text in (plain, warm)]
        assert worth[1] <= worth[0]
        wins[count].append(roll.choice(judges).prefers_first(warm, plain, task, roll))
    shares = [sum(wins[count]) / len(wins[count]) for count in (1, 2, 3, 4)]
    assert shares == sorted(shares)
    expected = [1 / (1 + math.exp(-CHARM * count)) for count in (1, 2, 3, 4)]
    assert shares == pytest.approx(expected, abs=0.07)  # lapses and tastes pull a little towards 1/2


def test_the_weakness_is_in_the_files(exported):
    built, _, rows = exported
    pairs = [(gushing(row["chosen"][0]["content"], built.lang), gushing(row["rejected"][0]["content"], built.lang))
             for row in rows["preferences"]]  # fmt: skip
    differing = [chosen > rejected for chosen, rejected in pairs if chosen != rejected]
    assert len(differing) > 200
    assert 0.56 < sum(differing) / len(differing) < 0.78
    written = [gushing(row["output"], built.lang) for row in rows["instruct"]]
    assert 0.03 < sum(count >= 1 for count in written) / len(written) < 0.2
    assert sum(count >= 2 for count in written) / len(written) < 0.06
    assert max(gushing(row["chosen"][0]["content"], built.lang) for row in rows["preferences"]) == 4


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sums_and_lists_are_right_by_the_tests_own_count(lang):
    built, roll = world(lang), dice("sums")
    for kind in ("sum", "minus", "compare", "count", "sort", "reverse", "copy", "first", "last"):
        for _ in range(60):
            task = draw(built, kind, roll)
            listed = (task.input or task.instruction.split(": ")[-1].split("? ")[-1].split(". ")[-1]).rstrip(".")
            numbers = [int(number) for number in re.findall(r"\d+", task.prompt)]
            if kind == "sum":
                expected = str(sum(numbers))
            elif kind == "minus":
                expected = str(max(numbers) - min(numbers))
            elif kind == "compare":
                expected = None
                assert task.keys[0] in (str(min(numbers)), str(max(numbers)))
            elif kind in ("first", "last"):
                expected = None
                assert task.keys[0] in task.prompt
            elif kind == "count":
                expected = str(task.prompt.count(",") + 1)
            elif kind == "sort":
                ordered = [[str(n) for n in sorted(numbers, reverse=down)] for down in (False, True)]
                assert task.keys[0] in [", ".join(one) for one in ordered]
                continue
            else:
                items = listed.split(", ")
                expected = ", ".join(items if kind == "copy" else items[::-1])
            assert expected in (None, task.keys[0]), task.prompt


def test_facts_asked_are_facts_of_the_world():
    built, roll = world("en", seed=9), dice("facts")
    people = {person.name: person for person in built.people}
    for _ in range(300):
        task = draw(built, "fact", roll)
        (name,) = set(re.findall(r"[A-Z][a-z]+", task.instruction)) & people.keys()
        assert task.keys[0] in [people[name].facts[attribute] for attribute in ATTRIBUTES]
        assert task.keys[0] not in task.rivals
        assert people[name].seen


def test_more_prompts_than_the_world_has_is_an_error(monkeypatch):
    monkeypatch.setattr("baro.playground.files.WEIGHTS", {"opposite": 1})
    with pytest.raises(ConfigError, match="different prompts"):
        shared_out(world("en"), {"instruct": 5000})


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_default_export_states_every_fact_often_enough(lang, tmp_path):
    sizes = {name: value.default for name, value in inspect.signature(export).parameters.items() if name != "folder"}
    counts = export(tmp_path, **(sizes | {"lang": lang}))
    assert counts["text"] == sizes["documents"]
    built = world(lang)
    people = {person.name: person for person in built.people}
    pattern = re.compile(rf"(?<![가-힣\w])({'|'.join(people)})(?![A-Za-z])")
    mentions = Counter()
    for row in read(tmp_path, "text"):
        small = row["text"].lower()
        for name in set(pattern.findall(row["text"])):
            mentions.update((name, key) for key in ATTRIBUTES if people[name].facts[key].lower() in small)
    assert len(mentions) == len(people) * len(ATTRIBUTES)
    assert min(mentions.values()) >= 60
