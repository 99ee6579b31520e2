"""Numbers in answers: however people write them, against the real files where they are."""

import gzip
import json
from fractions import Fraction
from pathlib import Path

import pytest

from baro.core.errors import BaroError
from baro.rewards.numeric import arithmetic, equation, final_number, gsm8k, numbers, right, svamp, truth

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def real(name: str) -> Path:
    file = DATA / name
    if not file.is_file():
        pytest.skip(f"{name} is not here")
    return file


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#### 72", 72),
        ("so 48/2 = 24\n#### 1,234", 1234),
        ("#### $1,234,567.50", Fraction("1234567.5")),
        ("#### 72 clips", 72),
        ("#### 72.", 72),
        ("#### -7", -7),
        ("#### −7", -7),
        ("#### 50%", 50),
        ("#### 3/4", Fraction(3, 4)),
        ("#### .5", Fraction(1, 2)),
        ("#### 72\nThat is 3 more than 69.", 72),
        ("#### 5\n#### 6", 6),
        ("A: 18", 18),
        ("The answer is 12 apples, not 13", 12),
        ("답은 42개입니다", 42),
        ("she has 16-9", 9),
        ("It costs 1,23 or 45", 45),
        ("nothing", None),
        ("####", None),
    ],
)
def test_the_number_an_answer_gives(text, found):
    assert final_number(text) == found


def test_numbers_of_a_text_in_order():
    assert numbers("Pay $1,000 now, 2.5 later and 3 / 4 never: -1") == [1000, Fraction("2.5"), Fraction(3, 4), -1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("( 76.0 - 25.0 )", 51),
        ("( ( 8.0 + 7.0 ) * 2.0 )", 30),
        ("2 + 3 * 4", 14),
        ("2 - 3 - 4", -5),
        ("8 / 2 / 2", 2),
        ("3 x 4 × 2", 24),
        ("-(2+1)", -3),
        ("1 / 3", Fraction(1, 3)),
        ("7 + 1 = 9", 8),
        ("1 / 0", None),
        ("(1 + 2", None),
        ("1 + ", None),
        ("1 2", None),
        ("__import__('os')", None),
        ("(" * 5000 + "1", None),
        ("9**9**9**9", None),
    ],
)
def test_equations_are_worked_out_and_nothing_is_run(text, value):
    assert equation(text) == value


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("72", 1),
        (" 72.", 1),
        ("= 72", 1),
        ("1,000", 0),
        ("72 73", 0),
        ("I say 72", 0),
        ("", 0),
        ("7 2", 0),
        ("0072", 1),
    ],
)
def test_sums_are_the_number_and_nothing_else(answer, score):
    assert arithmetic().grade(answer, {"answer": "72"}) == score
    assert right([[]], [answer], answer=[72]) == [score]


def test_gsm8k_answers():
    row = {"answer": "48/2 = <<48/2=24>>24\n#### 72"}
    assert gsm8k().grade("First 24, then 72 in all", row) == 1
    assert gsm8k(strict=True).grade("First 24, then 72 in all", row) == 0
    assert gsm8k(strict=True).grade("72 #### 71", row) == 0
    assert gsm8k(strict=True).grade("#### 72.0 clips", row) == 1


def test_svamp_answers():
    row = {"Answer": 51.0}
    assert svamp().grade("( 76.0 - 25.0 )", row) == 1
    assert svamp().grade("It is\n76 - 25 = 51", row) == 1
    assert svamp(points_for_number=0.5).grade("51", row) == 0.5
    assert svamp(points_for_number=0.5).grade("The answer is 51 dollars", row) == 0.5
    assert svamp().grade("76 + 25", row) == 0


def test_a_row_without_a_right_answer_says_so():
    with pytest.raises(BaroError, match="columns question, none of which holds a number"):
        truth({"question": "?"})


def test_the_graders_of_real_gsm8k_solutions_are_ours():
    """5,276 solutions of four models with their graders' verdicts."""
    lines = gzip.decompress(real("gsm8k/example_model_solutions.jsonl.gz").read_bytes()).splitlines()
    rows = [json.loads(line) for line in lines]
    names = [name for name, value in rows[0].items() if isinstance(value, dict)]
    grade, shares = gsm8k().grade, {}
    for name in names:
        ours = [grade(row[name]["solution"], row) for row in rows]
        assert [bool(score) for score in ours] == [row[name]["is_correct"] for row in rows]
        shares[name] = 100 * sum(ours) / len(ours)
    assert sorted(round(share, 2) for share in shares.values()) == [21.68, 34.72, 39.04, 56.25]


def test_every_real_reference_is_right():
    lines = gzip.decompress(real("gsm8k/train.jsonl.gz").read_bytes()).splitlines()
    grade = gsm8k(strict=True).grade
    assert all(grade(row["answer"], row) == 1 for row in map(json.loads, lines))
    rows = json.loads(real("svamp/SVAMP.json").read_text(encoding="utf-8"))
    wrong = [row["ID"] for row in rows if svamp().grade(row["Equation"], row) != 1]
    assert len(rows) == 1000
    assert len(wrong) == 1  # ((4 - 2) + 3) is given as 1
