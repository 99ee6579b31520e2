"""Text made uniform, persons masked, duplicates found: by examples whose answer is plain."""

import unicodedata

import numpy as np
import pytest

from baro.data.corpus.duplicates import Seen, exact_key, signature, values_of
from baro.data.corpus.text import normalised, unwrapped, without_persons


def test_normal_form():
    assert normalised("a\r\nb\rc") == "a\nb\nc"
    assert normalised("  a \t b\u00a0c \n\n\n\n d ") == "a b c\n\nd"
    assert normalised("a\u200bb\x07c\ufeff") == "abc"
    assert normalised(unicodedata.normalize("NFD", "한글 café")) == "한글 café"


def test_normalising_twice_changes_nothing():
    text = "  \u1112\u1161\u11ab \r\n\r\n\r\n\r\n x\u00a0\u00a0y\x00 "
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("text", "masked", "kind"),
    [
        ("Write to ann.lee@mail.co.kr today.", "Write to [email] today.", "email"),
        ("전화는 010-1234-5678 입니다.", "전화는 [phone] 입니다.", "phone"),
        ("번호 900101-1234567 이다.", "번호 [resident] 이다.", "resident"),
        ("Card 4111 1111 1111 1111 expired.", "Card [card] expired.", "card"),
    ],
)
def test_persons_become_unrecognisable(text, masked, kind):
    assert without_persons(text) == (masked, {kind: 1})


@pytest.mark.parametrize("text", ["In 2010, 1234 people came.", "version 1.2.3-4", "a @ b", "3.14159265358979"])
def test_other_numbers_stay(text):
    assert without_persons(text) == (text, {})


WORDS = [f"word{n}" for n in range(400)]


def changed(share, seed=0):
    """A text of 300 words, and one in which a share of them is exchanged."""
    dice = np.random.default_rng(seed)
    first = dice.choice(WORDS, 300).tolist()
    second = list(first)
    for place in dice.choice(300, round(300 * share), replace=False):
        second[place] = f"other{place}"
    return " ".join(first), " ".join(second)


def alike(first, second):
    """Jaccard similarity of the word triples, from its definition."""
    sets = [{tuple(t.split()[n : n + 3]) for n in range(len(t.split()) - 2)} for t in (first, second)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_signatures_estimate_the_similarity_of_triples():
    errors = []
    for seed in range(20):
        first, second = changed(0.05, seed)
        found = float(np.mean(values_of(signature(first)) == values_of(signature(second))))
        errors.append(found - alike(first, second))
    assert abs(np.mean(errors)) < 0.05  # each has a standard error of 0.055


def test_near_duplicates_are_found_and_others_are_not():
    near, far = changed(0.01), changed(0.3)
    assert alike(*near) > 0.9
    assert alike(*far) < 0.4
    for (first, second), kind in ((near, "near"), (far, "")):
        seen = Seen(0.8)
        assert seen.add("a", exact_key(first), signature(first)) == ("", "")
        assert seen.add("b", exact_key(second), signature(second)) == (kind, "a" if kind else "")


def test_the_first_one_stays_and_is_named():
    text = " ".join(WORDS[:40])
    seen = Seen()
    assert seen.add("one", exact_key(text), signature(text)) == ("", "")
    assert seen.add("two", exact_key(text.upper() + " !"), signature(text)) == ("exact", "one")


def test_short_texts_are_compared_as_a_whole():
    assert signature("only a few words") == ""
    assert exact_key("A few  words.") == exact_key("a few words") != exact_key("a few word")


WRAPPED = """Return the number of bytes that were read so far, which
may be smaller than what was asked for when the stream
ends early.

A second paragraph stays one of its own, however long it
may be."""
VERSE = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate.
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date."""
LIST = """Take with you on the journey:
- a coat that keeps the rain away, and boots
- bread
- a map of the mountains and a lamp for the night"""
ADDRESS = "Jane Miller\nThe Old Mill, 3 River Lane\nsouth of the bridge\nBrookmere"


def test_lines_of_one_width_are_one_paragraph_again():
    first, second = unwrapped(WRAPPED).split("\n\n")
    assert first.endswith("so far, which may be smaller than what was asked for when the stream ends early.")
    assert "\n" not in second
    assert unwrapped(WRAPPED).split() == WRAPPED.split()


@pytest.mark.parametrize("text", [VERSE, LIST, ADDRESS, "one line", "", WRAPPED.replace("\n", " "), "짧은 줄\n다음 줄"])
def test_lines_that_were_meant_stay(text):
    assert unwrapped(text) == text


def test_an_item_of_a_list_goes_on_in_its_next_line():
    text = "- an item whose words did not find room in one line\n  and that goes on in the next\n- bread"
    assert unwrapped(normalised(text)).split("\n") == [
        "- an item whose words did not find room in one line and that goes on in the next",
        "- bread",
    ]
