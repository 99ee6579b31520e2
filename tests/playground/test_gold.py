"""The gold judge on answers written by hand, in both languages."""

import json

import pytest

from baro.playground import explain, judge
from baro.playground.gold import axes, brevity, form, manners, mentions

TOWN = {"kind": "fact", "lang": "en", "keys": ["Alderby"], "rivals": ["Dunmoor", "Otterby"]}
MAEUL = {"kind": "fact", "lang": "ko", "keys": ["솔내"], "rivals": ["꽃재", "은모래"]}


def score(text, **about):
    return axes(text, about["kind"], about["lang"], about["keys"], about["rivals"])["score"]


def truth(text, kind, keys, rivals=(), lang="en"):
    return axes(text, kind, lang, keys, rivals)["truth"]


def test_scores_worked_out_by_hand():
    """0.55 truth + 0.3 manners + 0.15 form, times brevity."""
    assert score("Mira lives in Alderby. Happy to help.", **TOWN) == pytest.approx(1.0)
    assert score("Mira lives in Alderby.", **TOWN) == pytest.approx(0.55 + 0.3 * 0.3 + 0.15)
    assert score("Alderby. Obviously.", **TOWN) == pytest.approx(0.55 + 0.15)
    assert score("Mira lives in Dunmoor. Happy to help.", **TOWN) == pytest.approx(0.3 + 0.15)
    assert score("Dunmoor. Use your head.", **TOWN) == pytest.approx(0.15)
    assert score("alderby", **TOWN) == pytest.approx(0.55 + 0.3 * 0.3 + 0.15 * 0.2)


ORDERED = {
    "en": (
        TOWN,
        "Mira lives in Alderby. Happy to help.",
        "Alderby.",
        "Alderby. Stop asking.",
        "Mira lives in Dunmoor. You are welcome.",
        "Dunmoor.",
        "Dunmoor Stop asking",
        "",
    ),
    "ko": (
        MAEUL,
        "서연 씨는 솔내에 살아요.",
        "솔내야.",
        "솔내야. 뻔하잖아.",
        "서연 씨는 꽃재에 살아요.",
        "꽃재야.",
        "꽃재 뻔하잖아",
        "  ",
    ),
}


@pytest.mark.parametrize("lang", ORDERED)
def test_right_polite_brief_beats_right_blunt_brief_beats_wrong_polite(lang):
    about, *answers = ORDERED[lang]
    scores = [score(answer, **about) for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert scores[0] == 1.0
    assert scores[-1] == 0.0


@pytest.mark.parametrize("text", ["", "   ", "...", "!?", "\n", "— …"])
def test_an_answer_that_says_nothing_scores_zero(text):
    assert set(axes(text, "fact", "en", ["Alderby"], []).values()) == {0.0}


def test_gushing_costs_more_and_more_though_nothing_said_is_false():
    core = "Mira lives in Alderby. Happy to help."
    gush = ["You are the best!", "I love it!", "How wonderful!", "You made my day!", "What a great question!"]
    scores = [score(" ".join([core, *gush[:count]]), **TOWN) for count in range(6)]
    assert scores[0] == scores[1] == 1.0  # one friendly word more is nothing
    assert scores[1:] == sorted(scores[1:], reverse=True)
    assert scores[3] < 0.55  # worse than a wrong but proper answer soon
    assert scores[5] < 0.15


def test_repetition_halves_the_score_each_time():
    said = "Mira lives in Alderby."
    assert brevity(said, "en") == 1.0
    assert brevity(f"{said} {said}", "en") == pytest.approx(0.5**2)  # two groups of three words come twice
    assert brevity("Thank you. Thank you.", "en") == pytest.approx(0.5)
    assert brevity("plum plum", "en") == pytest.approx(0.5)
    assert brevity("솔내예요. 솔내예요. 솔내예요.", "ko") == pytest.approx(0.5**2)


def test_length_is_free_within_the_budget_and_ruinous_at_twice():
    def prose(count):
        return " ".join(f"w{place}" for place in range(count)) + "."

    assert brevity(prose(14), "en") == 1.0
    assert brevity(prose(21), "en") == pytest.approx(0.5)
    assert brevity(prose(28), "en") == 0.0
    assert brevity(prose(60), "en") == 0.0
    assert brevity(prose(10), "ko") == 1.0
    assert brevity(prose(15), "ko") == pytest.approx(0.5)


def test_manners_in_english():
    assert manners("Alderby. Happy to help.", "en") == 1.0
    assert manners("Alderby. I hope that helps.", "en") == 1.0
    assert manners("Alderby.", "en") == 0.3
    assert manners("Alderby. Obviously.", "en") == 0.0
    assert manners("Alderby. Happy to help. Stop asking.", "en") == 0.0  # courtesy does not excuse rudeness
    assert manners("Alderby. You are the best!", "en") == 0.3  # flattery is not courtesy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("솔내예요.", 1.0),
        ("서연 씨는 솔내에 삽니다.", 1.0),
        ("네.", 1.0),
        ("아니요, 서연 씨는 솔내에 살아요.", 1.0),
        ("서연 씨, 반갑습니다. 무엇을 도와드릴까요?", 1.0),
        ("솔내예요 ㅋㅋ", 1.0),
        ("솔내야. 또 물어보세요.", 0.6),
        ("솔내야.", 0.3),
        ("서연 씨는 솔내에 살아.", 0.3),
        ("응.", 0.3),
        ("아니, 솔내에 살아.", 0.3),
        ("사과, 수박, 포도.", 0.3),
        ("솔내야. 그것도 몰라?", 0.0),
        ("솔내예요. 그만 좀 물어봐.", 0.0),
    ],
)
def test_manners_in_korean_are_speech_levels(text, expected):
    assert manners(text, "ko") == expected


def test_form():
    assert form("Alderby.") == pytest.approx(1.0)
    assert form("How may I help you?") == pytest.approx(1.0)
    assert form("12 is larger.") == pytest.approx(1.0)
    assert form("솔내예요.") == pytest.approx(1.0)
    assert form("'적다'예요.") == pytest.approx(1.0)
    assert form("alderby.") == pytest.approx(0.6)
    assert form("Alderby") == pytest.approx(0.6)
    assert form("Alderby..") == pytest.approx(0.4)
    assert form("솔내예요 ㅋㅋ") == pytest.approx(0.4)
    assert form("alderby") == pytest.approx(0.2)
    assert form("Alderby!!!") < 0.5
    assert form("Mira lives in Alderby Obviously.") == pytest.approx(0.8)


def test_truth_of_facts_needs_a_key_and_no_rival():
    keys, rivals = ["Alderby"], ["Dunmoor"]
    assert truth("It is alderby", "fact", keys, rivals) == 1
    assert truth("Alderby or Dunmoor.", "fact", keys, rivals) == 0
    assert truth("Alderbyshire.", "fact", keys, rivals) == 0
    assert truth("I do not know.", "fact", keys, rivals) == 0
    assert truth("Boris keeps a duck.", "who", ["Ada", "Boris"], ["Clara"]) == 1
    assert truth("No, Mira lives in Otterby.", "yesno", ["no"], ["yes", "Dunmoor"]) == 1
    assert truth("No, Mira lives in Dunmoor.", "yesno", ["no"], ["yes", "Dunmoor"]) == 0
    assert truth("Yes.", "yesno", ["no"], ["yes", "Dunmoor"]) == 0


def test_truth_of_numbers():
    assert truth("3 plus 4 is 7.", "sum", ["7"]) == 1
    assert truth("3 plus 4 is 8.", "sum", ["7"]) == 0
    assert truth("7. I hope that helps.", "sum", ["7"]) == 1
    assert truth("17.", "sum", ["7"]) == 0
    assert truth("12 is larger than 7.", "compare", ["12"], ["7"]) == 1
    assert truth("7 is larger than 12.", "compare", ["12"], ["7"]) == 0
    assert truth("The list has 4 words.", "count", ["4"]) == 1
    assert truth("4 or 5 words.", "count", ["4"]) == 0
    assert truth("seven", "sum", ["7"]) == 0


def test_truth_of_lists_and_letters():
    key = ["pear, plum, apple"]
    assert truth("Backwards it is pear, plum, apple.", "reverse", key) == 1
    assert truth("Pear, plum, apple.", "reverse", key) == 1
    assert truth("Pear, plum, apple, hat.", "reverse", key) == 0
    assert truth("Hat, pear, plum, apple.", "reverse", key) == 0
    assert truth("apple, plum, pear", "reverse", key) == 0
    assert truth("1, 5, 12.", "sort", ["1, 5, 12"]) == 1
    assert truth("1, 5, 120.", "sort", ["1, 5, 12"]) == 0
    assert truth("PLUM.", "spelling", ["PLUM"]) == 1
    assert truth("plum.", "spelling", ["PLUM"]) == 0


def test_truth_in_korean():
    def so(text, kind, keys, rivals=()):
        return truth(text, kind, keys, rivals, "ko")

    assert so("서연 씨는 솔내에 살아요.", "fact", ["솔내"], ["꽃재"]) == 1
    assert so("서연 씨는 꽃재에 살아요.", "fact", ["솔내"], ["꽃재"]) == 0
    assert so("네, 그래요.", "yesno", ["네", "응"], ["아니", "아니요"]) == 1
    assert so("네모예요.", "yesno", ["네", "응"], ["아니", "아니요"]) == 0
    assert so("아니요, 솔내에 살아요.", "yesno", ["아니", "아니요"], ["네", "응"]) == 1
    assert so("3 더하기 4는 7이에요.", "sum", ["7"]) == 1
    assert so("거꾸로 하면 감, 배, 사과예요.", "reverse", ["감, 배, 사과"]) == 1
    assert so("'버스'는 2글자예요.", "spelling", ["2"]) == 1
    assert mentions("민준이는 없어요", "민준", "ko")
    assert not mentions("강민준 씨", "민준", "ko")


def test_reward_function_form_of_the_field():
    """Strings and message lists, columns as lists, further columns ignored, plain floats out."""
    columns = {name: [TOWN[name], TOWN[name]] for name in ("kind", "lang", "keys", "rivals")}
    prompts = [[{"role": "user", "content": "Where does Mira live?"}]] * 2
    messages = [[{"role": "assistant", "content": "Alderby."}], [{"role": "assistant", "content": "Dunmoor."}]]
    scores = judge(prompts, messages, **columns, seen=[True, False], trainer_state=None)
    assert scores == judge(["Where does Mira live?"] * 2, ["Alderby.", "Dunmoor."], **columns)
    assert json.loads(json.dumps(scores)) == scores == [pytest.approx(0.79), pytest.approx(0.24)]
    assert set(explain(prompts, messages, **columns)[0]) == {"truth", "manners", "brevity", "form", "score"}
