"""C4's and Gopher's rules, each with a text that breaks it alone, and running text that breaks none."""

import pytest

from baro.data.corpus import rules
from baro.data.corpus.rules import Limits

LIMITS = Limits(min_words=20, min_sentences=3, line_words=3)
PROSE = (
    "The old harbour lies to the west of the town, and most of the boats that come in belong to three families. "
    "They go out before sunrise with nets and lamps. Nobody remembers who built the long wall against the sea. "
    "It has been mended so often that hardly a stone of the first one can be left."
)
KOREAN = (
    "오래된 항구는 마을의 서쪽에 있고 들어오는 배는 대부분 세 집안의 것이다. 그들은 해가 뜨기 전에 그물과 등불을 "
    "가지고 바다로 나간다. 긴 방파제를 누가 쌓았는지 아무도 기억하지 못한다. "
    "워낙 자주 고쳐서 처음 돌은 거의 남아 있지 않다."
)
BROKEN = {
    "gopher: too few words": "Only a few words.",
    "gopher: mean length of words": "a I o " * 12,
    "gopher: symbols": "# among the longer words with # " * 8,
    "gopher: bullets": "\n".join(f"- the thing and the other of number {n}" for n in "abcdefgh"),
    "gopher: lines end in an ellipsis": "\n".join(
        f"the long story of number {n} and whatever else they have told us about it ..." for n in "abcdef"
    ),
    "gopher: words without letters": "the end of 12345 45678 78901 " * 8,
    "gopher: stop words": "Apples oranges lemons grapes plums cherries " * 5,
}


@pytest.mark.parametrize(("text", "language"), [(PROSE, "en"), (KOREAN, "ko")])
def test_running_text_breaks_no_rule(text, language):
    limits = Limits(min_words=20)
    assert rules.kept_lines(text, limits) == (text, 0)
    assert rules.c4(text, limits) == ""
    assert rules.gopher(text, language, limits) == ""
    assert rules.repetition(text) == ""


@pytest.mark.parametrize("reason", BROKEN)
def test_every_rule_of_gopher_sees_what_it_is_for(reason):
    assert rules.gopher(BROKEN[reason], "en", LIMITS) == reason


def test_korean_is_asked_for_its_own_endings_not_for_english_words():
    assert rules.gopher("하늘 구름 바람 " * 10, "ko", LIMITS) == "gopher: stop words"
    assert rules.gopher(BROKEN["gopher: stop words"], "fr", LIMITS) == ""  # no list, no verdict


def test_the_papers_limits_are_the_defaults():
    assert (Limits().min_words, Limits().max_words, Limits().min_sentences, Limits().line_words) == (50, 100_000, 3, 5)
    assert rules.gopher("the of " * 60_000, "en", Limits()) == "gopher: too many words"


@pytest.mark.parametrize(
    "line",
    [
        "Home | About | Contact",
        "Two words.",
        "Please enable JavaScript to see this page.",
        "Read more about it ...",
        "이 사이트는 쿠키를 사용합니다.",
    ],
)
def test_lines_that_are_no_sentences_go(line):
    text, gone = rules.kept_lines(f"{PROSE}\n{line}\n{PROSE}", LIMITS)
    assert gone == 1
    assert line not in text
    assert text.count("harbour") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE + " Lorem ipsum dolor sit.", "c4: lorem ipsum"),
        ("if (a) { b(); } c. d. e. f.", "c4: brace"),
        ("One sentence. And one more", "c4: too few sentences"),
    ],
)
def test_documents_by_c4(text, reason):
    assert rules.c4(text, LIMITS) == reason


def test_numbers_with_points_are_no_sentences():
    assert rules.c4("It costs 3.50 or 4.75 or 5.25 in all.", LIMITS) == "c4: too few sentences"


def test_repeated_lines_and_grams():
    lines = "\n".join(["the same line again here."] * 4 + ["another line of words.", "and a third one."])
    assert rules.repetition(lines) == "repetition: lines"
    assert rules.repetition("buy now " * 30).startswith("repetition: commonest 2-gram")
    long = "one two three four five six seven eight nine ten eleven twelve"
    assert rules.repetition(f"{long} {PROSE} {long}").startswith("repetition:")


def test_words_in_repeated_grams_count_once():
    # ab ab ab: the grams (a,b) at 2 and 4, (b,a) at 3 have been there; words 2 to 5 are marked, 4 letters
    assert rules._again(list("ababab"), 2) == 4
    assert rules._top(list("ababab"), 2) == 6
    assert rules._top(list("abcdef"), 2) == 0
