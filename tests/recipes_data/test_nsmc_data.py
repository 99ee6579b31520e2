"""recipes/nsmc.py: every review in one file only, pairs under one prompt, and a judge that knows its trade."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from baro.core.errors import DataError
from baro.data.read import read_dialogues, read_preferences, read_prompts, read_texts

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "nsmc"
SPEC = importlib.util.spec_from_file_location("nsmc_recipe", ROOT / "recipes" / "nsmc.py")
nsmc = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(nsmc)

SIZES = {
    "text_heldout": 20,
    "sentiment": 40,
    "sentiment_heldout": 11,
    "continuation": 15,
    "preferences": 30,
    "preferences_heldout": 6,
    "prompts": 12,
    "prompts_heldout": 5,
    "judge_reviews": 120,
}
HEADER = "id\tdocument\tlabel\trating\n"
PRAISE, SCORN = ("정말 좋아요", "최고의 감동", "또 볼래요"), ("너무 지루해", "돈이 아까움", "최악입니다")
# 300 beginnings of four characters, each under praise and under scorn.
BEGINNINGS = [
    first + second
    for first in "가나다라마바사아자차카타파하거"
    for second in "겨고교구규그기너녀노뇨누뉴느니더뎌도됴두"
]


def write(folder: Path, train: list[str], test: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        lines = HEADER + "".join(f"{number}\t{row}\n" for number, row in enumerate(rows))
        (folder / f"nsmc_{name}.tsv.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


def rows_of(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> tuple[Path, dict[str, int]]:
    """600 made-up reviews, some of them long, and the label of each."""
    rng = random.Random(7)
    labels = {}
    for place, start in enumerate(BEGINNINGS):
        for label, endings in ((1, PRAISE), (0, SCORN)):
            tail = " 그리고" * (20 if place % 30 == 0 else rng.randrange(4))
            labels[f"{start}영화 {rng.choice(endings)} {place}{tail}"] = label
    rows = [f"{text}\t{label}\t{rng.choice((9, 10) if label else (1, 2, 3, 4))}" for text, label in labels.items()]
    rng.shuffle(rows)
    return write(tmp_path_factory.mktemp("nsmc"), rows[:450], rows[450:]), labels


@pytest.fixture(scope="module")
def made(source, tmp_path_factory) -> tuple[Path, dict[str, int]]:
    folder = tmp_path_factory.mktemp("made")
    return folder, nsmc.prepare(folder, data=source[0], **SIZES)


def reviews_by_file(folder: Path) -> dict[str, list[str]]:
    """Whole reviews, put together again from what each file shows of them."""
    found = {name: [row["text"] for row in rows_of(folder, name)] for name in ("text", "text_heldout", "judge")}
    for name in ("instruct", "instruct_heldout"):
        found[name] = [
            row["input"] + (row["output"] if row["instruction"] == "이어 쓰기" else "") for row in rows_of(folder, name)
        ]
    for name in ("preferences", "preferences_heldout"):
        found[name] = [
            row["prompt"][0]["content"].split("\n\n", 1)[1] + row[side][0]["content"]
            for row in rows_of(folder, name)
            for side in ("chosen", "rejected")
        ]
    return found


def beginnings(folder: Path, name: str) -> list[str]:
    return [row["prompt"][0]["content"] for row in rows_of(folder, name)]


def test_every_size_is_met_and_every_review_is_used_once(made, source):
    folder, counts = made
    assert {name: counts[name] for name in counts if name in ("rows", "broken", "repeated", "contradicting")} == {
        "rows": 600,
        "broken": 0,
        "repeated": 0,
        "contradicting": 0,
    }
    assert counts["instruct"] == 55
    assert counts["instruct_heldout"] == 11
    assert counts["preferences"] == 30
    assert counts["preferences_heldout"] == 6
    assert counts["judge"] == 120
    everything = [text for texts in reviews_by_file(folder).values() for text in texts]
    assert Counter(everything).most_common(1)[0][1] == 1
    assert set(everything) <= set(source[1])
    # What no file shows whole are the reviews behind the prompts.
    hidden = Counter(text[:4] for text in set(source[1]) - set(everything))
    shown = Counter(row["prefix"] for name in ("prompts", "prompts_heldout") for row in rows_of(folder, name))
    assert hidden == shown
    assert shown.total() == 17


def test_long_reviews_are_for_pretraining_only(made):
    found = reviews_by_file(made[0])
    assert max(map(len, found.pop("text"))) > 60
    assert all(5 <= len(text) <= 60 for texts in found.values() for text in texts)


def test_sentiment_is_balanced_and_true(made, source):
    folder, labels = made[0], source[1]
    rows = [row for row in rows_of(folder, "instruct") if row["output"] in ("긍정", "부정")]
    assert Counter(row["output"] for row in rows) == {"긍정": 20, "부정": 20}
    heldout = rows_of(folder, "instruct_heldout")
    assert sorted(Counter(row["output"] for row in heldout).values()) == [5, 6]
    for row in rows + heldout:
        assert labels[row["input"]] == {"긍정": 1, "부정": 0}[row["output"]]
    assert all(row["accept"] == [row["output"]] for row in heldout)
    assert all(sorted(row["format"]) == ["긍정", "부정"] and row["kind"] == "sentiment" for row in heldout)


def test_a_pair_shares_its_prompt_and_prefers_the_liked_review(made, source):
    folder, labels = made[0], source[1]
    for name in ("preferences", "preferences_heldout"):
        for row in rows_of(folder, name):
            start = row["prompt"][0]["content"].removeprefix("이어 쓰기\n\n")
            assert labels[start + row["chosen"][0]["content"]] == 1
            assert labels[start + row["rejected"][0]["content"]] == 0
            assert 1 <= len(start) <= 4


def test_held_out_prompts_are_no_training_prompts(made):
    for name in ("preferences", "prompts"):
        assert not set(beginnings(made[0], name)) & set(beginnings(made[0], f"{name}_heldout"))
    asked = beginnings(made[0], "prompts") + beginnings(made[0], "prompts_heldout")
    assert len(set(asked)) == len(asked)


def test_every_file_is_read_by_the_stages_and_continuations_are_asked_alike(made):
    folder = made[0]
    assert len(read_texts(folder / "text.jsonl").rows) == made[1]["text"]
    dialogues = read_dialogues(folder / "instruct.jsonl").rows
    asked = {turn.content for row in dialogues for turn in row.messages if turn.role == "user"}
    continuations = [text for text in asked if text.startswith("이어 쓰기")]
    assert len(continuations) == 15
    assert all(text[:7] == "이어 쓰기\n\n" and len(text) == 11 for text in continuations)
    prompts = read_prompts(folder / "prompts_heldout.jsonl").rows
    assert all(row.messages[0].content == "이어 쓰기\n\n" + row.columns["prefix"] for row in prompts)
    pairs = read_preferences(folder / "preferences.jsonl").rows
    assert {row.margin for row in pairs} == {None}
    assert len(pairs) == 30


def test_the_seed_decides_and_nothing_else(made, source, tmp_path):
    nsmc.prepare(tmp_path / "same", data=source[0], **SIZES)
    nsmc.prepare(tmp_path / "other", data=source[0], seed=1, **SIZES)
    for path in made[0].glob("*.jsonl"):
        assert (tmp_path / "same" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "other" / path.name).read_bytes() != path.read_bytes()


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path):
    train = [
        '"따옴표"로 시작하는 리뷰\t1\t10',
        "재밌다 정말!!\t1\t9",
        "재밌다, 정말~\t1\t10",  # the same letters
        "그저 그런 영화\t1\t9",
        "세 칸뿐인 줄\t1",
        "\t0\t1",
        "평점과 다른 표\t1\t2",
        "없는 평점이다\t0\t별로",
        "..........\t0\t1",
        "짧다\t0\t1",
    ]
    test = ["그저 그런 영화\t0\t4", "두  칸 띄운 평\r\t0\t3", "깨진 \ufffd 글자다\t0\t3"]
    reviews, counts = nsmc.read_reviews(write(tmp_path / "rows", train, test))
    assert [tuple(review) for review in reviews] == [
        ('"따옴표"로 시작하는 리뷰', 1),
        ("재밌다 정말!!", 1),
        ("두 칸 띄운 평", 0),
    ]
    assert counts == {"rows": 13, "broken": 5, "wordless": 1, "repeated": 1, "contradicting": 2, "short": 1}


def test_matching_takes_the_longest_beginnings_first():
    review = nsmc.Review
    pool = [
        review("가나다라 좋다", 1),
        review("가나다마 싫다", 0),
        review("가나다라 싫다", 0),
        review("가나바사 좋다", 1),
    ]
    pairs, left = nsmc.match(pool, 2, random.Random(0))
    assert [pair.prefix for pair in pairs] == ["가나다라", "가나"]
    assert left == []
    pairs, left = nsmc.match(pool, 1, random.Random(0))
    assert [pair.prefix for pair in pairs] == ["가나다라"]
    assert [one.text for one in left] == ["가나다마 싫다", "가나바사 좋다"]
    with pytest.raises(DataError, match="Found 2 pairs"):
        nsmc.match(pool, 3, random.Random(0))


def test_the_judge_reads_beginning_and_answer(made):
    positive = nsmc.judge(data=made[0])
    praise, scorn = " 최고의 감동", " 최악입니다"
    asked = [{"role": "user", "content": "이어 쓰기\n\n가겨영화"}]
    by_column = positive([asked, asked], [praise, scorn], prefix=["가겨영화", "가겨영화"], kind=[None, None])
    assert by_column[0] > 0.9 > 0.1 > by_column[1]
    assert positive([asked, asked], [[{"role": "assistant", "content": praise}], scorn]) == by_column
    assert positive([asked, asked], [praise, scorn], prefix=[None, "가겨영화"]) == by_column
    # The beginning counts: the same answer after scorn is worth less.
    assert positive([asked], [""], prefix=["최고의 감동"])[0] > positive([asked], [""], prefix=["최악입니다"])[0]
    assert positive([], []) == []
    assert nsmc.judge(data=made[0] / "judge.jsonl")([asked], [praise])[0] == by_column[0]


def test_the_judge_is_naive_bayes_with_one_added_to_every_count(tmp_path):
    rows = [{"text": "가", "label": 1}, {"text": "나", "label": 0}, {"text": "가", "label": 1}]
    path = tmp_path / "judge.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Two n-grams. P(가|1) = (2+1)/(2+2), P(가|0) = (0+1)/(1+2), prior 2/3 and 1/3: 1/2 against 1/9.
    assert nsmc.judge(data=path)(["가"], [""], prefix=["가"]) == pytest.approx([(1 / 2) / (1 / 2 + 1 / 9)])


def test_what_is_missing_is_named(tmp_path, source):
    with pytest.raises(DataError, match=r"nsmc_train\.tsv\.gz: The file does not exist"):
        nsmc.prepare(tmp_path / "out", data=tmp_path)
    with pytest.raises(DataError, match=r"judge\.jsonl: No reviews"):
        nsmc.judge(data=tmp_path)
    with pytest.raises(DataError, match="expected 30,000 for judge_reviews"):
        nsmc.prepare(tmp_path / "out", data=source[0], **{**SIZES, "judge_reviews": 30_000})
    with pytest.raises(DataError, match="expected 600 for sentiment"):
        nsmc.prepare(tmp_path / "out", data=source[0], **{**SIZES, "sentiment": 600, "judge_reviews": 0})


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="NSMC is not beside the project (../shared/data/nsmc)")
def test_real_reviews(tmp_path, capsys):
    begin = time.perf_counter()
    counts = nsmc.prepare(tmp_path, data=DATA)
    prepared = time.perf_counter()
    positive = nsmc.judge(data=tmp_path)
    fitted = time.perf_counter()
    found = reviews_by_file(tmp_path)
    labelled = [row for row in rows_of(tmp_path, "instruct") if row["output"] in ("긍정", "부정")]
    values = positive([""] * len(labelled), [row["input"] for row in labelled], prefix=[""] * len(labelled))
    right = [(value > 0.5) == (row["output"] == "긍정") for value, row in zip(values, labelled, strict=True)]
    pairs = rows_of(tmp_path, "preferences_heldout")
    asked = [row["prompt"] for row in pairs]
    chosen, rejected = (positive(asked, [row[side] for row in pairs]) for side in ("chosen", "rejected"))
    above = [better > worse for better, worse in zip(chosen, rejected, strict=True)]
    accuracy, pair_accuracy = sum(right) / len(right), sum(above) / len(above)
    shared = Counter(
        len(text) - 7 for name in ("preferences", "preferences_heldout") for text in beginnings(tmp_path, name)
    )
    with capsys.disabled():
        print(f"\n{counts}\ntext: {sum(map(len, found['text'])):,} characters, shared by pairs: {dict(shared)}")
        print(f"longest {max(map(len, found['text']))}, over 60: {sum(len(text) > 60 for text in found['text']):,}")
        print(f"judge: accuracy {accuracy:.4f} of {len(right):,}, pairs {pair_accuracy:.4f} of {len(above):,}")
        print(f"prepare {prepared - begin:.1f} s, fit {fitted - prepared:.1f} s")
    everything = [text for texts in found.values() for text in texts]
    assert len(set(everything)) == len(everything)
    assert len(everything) + 4_096 + 512 == sum(
        (counts["rows"], *(-counts[name] for name in ("broken", "wordless", "repeated", "contradicting", "short")))
    )
    assert not set(beginnings(tmp_path, "preferences")) & set(beginnings(tmp_path, "preferences_heldout"))
    assert counts["text"] >= 75_000
    assert (accuracy >= 0.82, pair_accuracy >= 0.88) == (True, True)
    assert (prepared - begin < 30, fitted - prepared < 20) == (True, True)
