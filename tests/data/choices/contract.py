"""What a store promises, whatever database is behind it. Each function takes a fresh store and a maker of pairs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from baro.core.errors import DataError
from baro.data.choices.export import rows
from baro.data.choices.order import upcoming
from baro.data.choices.store import Store


def judge(store, name, choice="a", click=None, **more):
    """Show the next pair to `name` and keep a choice of it."""
    shown = upcoming(store, name, repeat=more.pop("repeat", 0.0))
    assert shown is not None
    store.decide(name, shown.number, choice, click or f"{name}-{shown.number}-{len(store.kept(name))}", **more)
    return shown


def pairs_are_added_once_in_either_order(store, pair):
    assert store.add([pair(1), pair(2)]) == 2
    again = pair(1)
    assert store.add([type(again)(again.prompt, again.b, again.a), pair(3)]) == 1


def a_showing_stays_until_it_is_judged(store, pair):
    store.add(pair(n) for n in range(5))
    store.join("kim")
    first = upcoming(store, "kim")
    assert upcoming(store, "kim") == first
    assert store.decide("kim", first.number, "b", "c1", seconds=2.5, tags=["truth"], note="맞다\0<b>") == "kept"
    assert upcoming(store, "kim").number != first.number
    (kept,) = store.kept()
    assert (kept.choice, kept.seconds, kept.tags, kept.note) == ("b", 2.5, ("truth",), "맞다\ufffd<b>")
    assert (kept.left, kept.annotator) == (first.left, "kim")


def the_same_click_counts_once(store, pair):
    store.add([pair(1), pair(2)])
    store.join("kim")
    shown = upcoming(store, "kim")
    assert [store.decide("kim", shown.number, "a", "c1") for _ in range(3)] == ["kept", "again", "again"]
    assert store.decide("kim", shown.number, "b", "c2") == "already"
    assert [kept.choice for kept in store.kept()] == ["a"]
    other = upcoming(store, "kim")
    with pytest.raises(DataError, match="already used"):
        store.decide("kim", other.number, "a", "c1")


def nobody_answers_for_another(store, pair):
    store.add([pair(1)])
    store.join("kim")
    store.join("lee")
    shown = upcoming(store, "kim")
    with pytest.raises(DataError, match="not shown to you"):
        store.decide("lee", shown.number, "a", "c1")
    store.decide("kim", shown.number, "a", "c1")
    assert not store.withdraw("lee", "c1")
    assert len(store.kept()) == 1


def a_choice_is_taken_back_and_nothing_is_erased(store, pair):
    store.add(pair(n) for n in range(3))
    store.join("kim")
    shown = judge(store, "kim", "a", "c1")
    open_now = upcoming(store, "kim")
    assert store.withdraw("kim", "c1")
    assert not store.withdraw("kim", "c1")
    assert upcoming(store, "kim") == shown  # same sides too
    assert store.decide("kim", shown.number, "a", "c1") == "again"  # a late repetition of the old click
    assert store.kept() == []
    assert store.decide("kim", shown.number, "b", "c2") == "kept"
    assert upcoming(store, "kim") == open_now
    assert [kept.choice for kept in store.kept()] == ["b"]


def pairs_are_divided_and_the_shared_ones_meet_several(store, pair):
    store.add((pair(n) for n in range(30)), shared=0.3)
    for name in ("kim", "lee", "park", "choi"):
        store.join(name)
    for _ in range(60):
        for name in ("kim", "lee", "park", "choi"):
            if upcoming(store, name):
                judge(store, name)
    seen = [{kept.annotator for kept in store.kept() if kept.pair == number} for number in store.all_pairs()]
    assert {len(people) for people in seen} == {1, 3}
    assert 3 <= sum(len(people) == 3 for people in seen) <= 17


def repeats_come_later_with_the_sides_swapped(store, pair):
    store.add(pair(n) for n in range(30))
    store.join("kim")
    order = []
    while shown := upcoming(store, "kim", repeat=0.5):
        order.append(shown)
        store.decide("kim", shown.number, "a", f"c{len(order)}")
    again = [shown for shown in order if shown.repeat]
    assert 6 <= len(again) <= 24
    assert len(order) == 30 + len(again)
    for shown in again:
        first = next(one for one in order if one.pair == shown.pair and not one.repeat)
        assert shown.left != first.left
    distances = [order.index(s) - next(i for i, o in enumerate(order) if o.pair == s.pair) for s in again]
    assert min(distances[: len(again) // 2]) >= 10


def sides_are_drawn_fairly(store, pair):
    store.add(pair(n) for n in range(60))
    store.join("kim")
    lefts = [judge(store, "kim").left for _ in range(60)]
    assert 16 < lefts.count("a") < 44


def many_hands_at_once_lose_and_double_nothing(store, pair):
    store.add(pair(n) for n in range(40))
    names = [f"p{n}" for n in range(8)]
    for name in names:
        store.join(name)

    def work(name):
        done = 0
        while shown := upcoming(store, name):
            for _ in range(2):  # every click arrives twice
                store.decide(name, shown.number, "a", f"{name}-{shown.number}")
            done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, names))
    assert sum(done) == 40
    assert len({kept.pair for kept in store.kept()}) == 40


def two_windows_cannot_both_win(store, pair):
    store.add([pair(1)])
    store.join("kim")
    shown = upcoming(store, "kim")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: store.decide("kim", shown.number, "ab"[n % 2], f"c{n}"), range(16)))
    assert sorted(found) == ["already"] * 15 + ["kept"]
    assert len(store.kept()) == 1


def it_is_all_there_when_opened_again(store, pair):
    store.add([pair(1)])
    store.join("kim")
    judge(store, "kim", "tie", "c1")
    other = Store(store.where)
    assert other.kept() == store.kept()
    assert other.token("kim") == store.token("kim") != store.token("lee")
    other.close()


def choices_from_elsewhere_are_kept_in_the_terms_of_the_pair(store, pair):
    plain = pair(1, ("m", "n"))
    turned = type(plain)(plain.prompt, plain.b, plain.a, ("n", "m"))
    assert store.record(plain, "chat", "a", "c1", left="b") == "kept"
    assert store.record(plain, "chat", "a", "c1") == "again"
    assert store.record(plain, "chat", "b", "c2") == "already"
    assert store.record(turned, "lee", "a", "c3", left="a") == "kept"
    assert store.record(plain, "chat", "b", "c4", replace=True) == "kept"
    found = {kept.annotator: (kept.choice, kept.left) for kept in store.kept()}
    assert found == {"chat": ("b", "b"), "lee": ("b", "b")}
    assert {row["model_chosen"] for row in rows(store)} == {"n"}


PROMISES = [
    pairs_are_added_once_in_either_order,
    a_showing_stays_until_it_is_judged,
    the_same_click_counts_once,
    nobody_answers_for_another,
    a_choice_is_taken_back_and_nothing_is_erased,
    pairs_are_divided_and_the_shared_ones_meet_several,
    repeats_come_later_with_the_sides_swapped,
    sides_are_drawn_fairly,
    many_hands_at_once_lose_and_double_nothing,
    two_windows_cannot_both_win,
    it_is_all_there_when_opened_again,
    choices_from_elsewhere_are_kept_in_the_terms_of_the_pair,
]
