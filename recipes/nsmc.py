"""Korean film reviews (NSMC, CC0) as data for the whole chain, and a judge that shares no review with it.

`prepare` reads nsmc_train.tsv.gz and nsmc_test.tsv.gz (columns id, document, label, rating; label 1 = rated 9–10,
0 = rated 1–4) and deals every review to one file only. Figures: seed 0, default sizes, made by
`pytest tests/recipes_data/test_nsmc_data.py -m slow -s`.

    200,000 rows − 0 broken − 339 without a letter or digit − 5,311 repeats − 3,765 whose review stands under both
    labels − 1,858 of fewer than 5 characters = 188,727 reviews. Two are the same when their letters and digits are.

text.jsonl                 {"text"}, 78,719 reviews, 4.04 M characters: all that the other files leave over. The 27,592
                           of more than 60 characters stand here only; none has more than 147.
text_heldout.jsonl         3,000 of 5–60 characters, like the reviews of all files below.
instruct.jsonl             {"instruction", "input", "output"}: 32,000 × sentiment (긍정 or 부정, balanced) and 8,000 ×
                           go on from the first 4 characters (input + output is the review, spaces included).
instruct_heldout.jsonl     2,000 × sentiment, balanced, with "accept", "format" and "kind".
preferences.jsonl          13,000 pairs {"prompt", "chosen", "rejected"}: chosen is rated 9–10, rejected 1–4.
preferences_heldout.jsonl  2,200 pairs; no prompt of preferences.jsonl among them.
prompts.jsonl              4,096 × {"prompt", "prefix"}: first 4 characters, all different, of reviews no stage sees.
prompts_heldout.jsonl      512 more; no prompt of prompts.jsonl among them.
judge.jsonl                {"text", "label"}, 30,000 reviews for the judge alone.

How the pairs are made. Two answers can be compared only under one prompt, and reinforcement learning asks the reward
model about continuations of 4 characters. So both reviews of a pair begin alike: the prompt asks to go on from what
they share, the answers are the rest, and the reward model reads two whole reviews that differ only in the answer. Of
the 60,800 reviews offered, each used once, 7,353 pairs share 4 characters; the rest share 3 (4,294) or 2 (3,553).
There is no `margin`: trainers subtract one from the difference of scores, and ratings are not in nats.

The judge: multinomial naive Bayes over counts of character 1–3-grams, fitted in 2–4 s. It names the label of 0.837 of
the 32,000 sentiment reviews and puts the chosen review above the rejected in 0.886 of the held-out pairs.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.read import write_jsonl

FILES = ("nsmc_train.tsv.gz", "nsmc_test.tsv.gz")
SHORTEST, LONGEST = 5, 60  # characters of a review in every file but text.jsonl, which has no upper limit
PREFIX = 4  # characters a continuation starts from
OFFERED = 4  # reviews offered to the matching per pair wanted: enough for 2 or more shared characters
ASK = ("감정은?", "평가는?", "긍정? 부정?")  # "feeling?", "verdict?", "positive? negative?": short, since tokens cost
CONTINUE = "이어 쓰기"  # "go on writing"
JOIN = "\n\n"  # between instruction and input, where baro.data makes one message of the two
ANSWERS = ("부정", "긍정")  # by label: negative, positive


class Review(NamedTuple):
    """A cleaned review and its label, 1 positive or 0 negative."""

    text: str
    label: int


class Pair(NamedTuple):
    """Two reviews that begin with the same characters."""

    prefix: str
    chosen: Review
    rejected: Review


def prepare(
    folder: Path,
    *,
    data: Path,
    seed: int = 0,
    text: int = 120_000,
    text_heldout: int = 3_000,
    sentiment: int = 38_000,
    sentiment_heldout: int = 2_000,
    continuation: int = 2_000,
    preferences: int = 13_000,
    preferences_heldout: int = 2_200,
    prompts: int = 4_096,
    prompts_heldout: int = 512,
    judge_reviews: int = 30_000,
) -> dict[str, int]:
    """Write the nine files named above into `folder` and count their rows and what was left out.

    Args:
        data: the folder of the two NSMC files.
        seed: decides who goes where; the same seed writes the same bytes.
        text: at most so many reviews for pre-training. All other sizes are exact: rows, or pairs.

    Raises:
        DataError: a file is missing, or there are too few reviews for the sizes asked for.
    """
    rng = random.Random(seed)
    reviews, counts = read_reviews(Path(data))
    rng.shuffle(reviews)
    pool = [review for review in reviews if len(review.text) <= LONGEST]
    long = [review for review in reviews if len(review.text) > LONGEST]

    heldout, pool = _deal(pool, text_heldout, "text_heldout")
    tested, pool = _deal_balanced(pool, sentiment_heldout, "sentiment_heldout")
    labelled, pool = _deal_balanced(pool, sentiment, "sentiment")
    continued, pool = _deal(pool, continuation, "continuation")
    judged, pool = _deal(pool, judge_reviews, "judge_reviews")
    asked, pool = _different_beginnings(pool, prompts_heldout + prompts)
    offered = OFFERED * (preferences + preferences_heldout)
    pairs, unmatched = match(pool[:offered], preferences + preferences_heldout, rng)
    held_pairs, train_pairs = split_by_prompt(pairs, preferences_heldout, rng)
    rest = pool[offered:] + unmatched + long
    rng.shuffle(rest)
    instruct = [_sentiment_row(review, rng) for review in labelled] + [_continuation_row(r) for r in continued]
    rng.shuffle(instruct)

    files: dict[str, list[dict[str, Any]]] = {
        "text": [{"text": review.text} for review in rest[:text]],
        "text_heldout": [{"text": review.text} for review in heldout],
        "instruct": instruct,
        "instruct_heldout": [_task_row(review, rng) for review in tested],
        "preferences": [_pair_row(pair) for pair in train_pairs],
        "preferences_heldout": [_pair_row(pair) for pair in held_pairs],
        "prompts": [_prompt_row(review.text[:PREFIX]) for review in asked[prompts_heldout:]],
        "prompts_heldout": [_prompt_row(review.text[:PREFIX]) for review in asked[:prompts_heldout]],
        "judge": [review._asdict() for review in judged],
    }
    for name, rows in files.items():
        write_jsonl(Path(folder) / f"{name}.jsonl", rows)
    return {name: len(rows) for name, rows in files.items()} | counts


def read_reviews(data: Path) -> tuple[list[Review], dict[str, int]]:
    """Every usable review once, in the order of the files, and how many rows were skipped, by reason.

    Text is NFC with single spaces. Skipped: broken rows (not four fields, no text, undecodable bytes, a rating that
    does not fit the label), rows without a letter or digit, repeats of a review, every row of a review that stands
    under both labels, reviews under 5 characters.
    """
    counts = {"rows": 0, "broken": 0, "wordless": 0, "repeated": 0, "contradicting": 0, "short": 0}
    found: list[tuple[str, Review]] = []
    labels: dict[str, set[int]] = {}
    for name in FILES:
        for line in _lines(data / name):
            counts["rows"] += 1
            review = _parse(line)
            if review is None:
                counts["broken"] += 1
            # Letters and digits make the review: "재밌다!!" and "재밌다~" must not stand on two sides of a split.
            elif key := re.sub(r"[\W_]+", "", review.text).casefold():
                found.append((key, review))
                labels.setdefault(key, set()).add(review.label)
            else:
                counts["wordless"] += 1
    reviews: dict[str, Review] = {}
    for key, review in found:
        if len(labels[key]) > 1:
            counts["contradicting"] += 1
        elif key in reviews:
            counts["repeated"] += 1
        else:
            reviews[key] = review
    usable = [review for review in reviews.values() if len(review.text) >= SHORTEST]
    counts["short"] = len(reviews) - len(usable)
    return usable, counts


def match(reviews: list[Review], count: int, rng: random.Random) -> tuple[list[Pair], list[Review]]:
    """`count` pairs of a positive and a negative review that begin alike, longest beginning first; and who is left.

    Raises:
        DataError: fewer pairs can be made.
    """
    pairs: list[Pair] = []
    left = reviews
    for length in range(PREFIX, 0, -1):
        groups: dict[str, tuple[list[Review], list[Review]]] = {}
        for review in left:
            groups.setdefault(review.text[:length], ([], []))[review.label].append(review)
        found = [Pair(prefix, *both) for prefix, (no, yes) in groups.items() for both in zip(yes, no, strict=False)]
        rng.shuffle(found)
        taken = found[: count - len(pairs)]
        pairs += taken
        used = {review.text for pair in taken for review in pair[1:]}
        left = [review for review in left if review.text not in used]
    if len(pairs) < count:
        message = f"Found {len(pairs):,} pairs of reviews that begin alike, expected {count:,}."
        raise DataError(message, where="nsmc", hint="Lower preferences or preferences_heldout, or the other sizes.")
    return pairs, left


def split_by_prompt(pairs: list[Pair], heldout: int, rng: random.Random) -> tuple[list[Pair], list[Pair]]:
    """`heldout` pairs and the others; all pairs of one prompt on the same side, both sides shuffled.

    A prompt of more than 1/50 of the held-out pairs stays with the others: no one beginning may decide an accuracy.

    Raises:
        DataError: fewer pairs can be held out.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.prefix, []).append(pair)
    order = list(groups.values())
    rng.shuffle(order)
    held: list[Pair] = []
    others: list[Pair] = []
    for group in order:
        fits = len(group) <= min(heldout - len(held), max(heldout // 50, 1))
        (held if fits else others).extend(group)
    if len(held) < heldout:
        message = f"Found {len(held):,} pairs of prompts that can be held out, expected {heldout:,}."
        raise DataError(message, where="nsmc", hint="Lower preferences_heldout.")
    rng.shuffle(held)
    rng.shuffle(others)
    return held, others


def judge(*, data: Path) -> Callable[..., list[float]]:
    """A reward function, P(positive) of a whole review, fitted on judge.jsonl (`data`: the file or its folder).

    The function takes prompts and completions, as strings or as lists of messages, and gives a probability in [0, 1]
    for the beginning of each review (the column `prefix`, else what follows the prompt's empty line) + completion.

    Raises:
        DataError: the file is missing.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    path = Path(data) / "judge.jsonl" if Path(data).is_dir() else Path(data)
    if not path.is_file():
        raise DataError("No reviews for the judge.", where=str(path), hint="Run prepare of recipes/nsmc.py first.")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    counter = CountVectorizer(analyzer="char", ngram_range=(1, 3))
    model = MultinomialNB().fit(counter.fit_transform([row["text"] for row in rows]), [row["label"] for row in rows])

    def positive(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        known = columns.get("prefix") or [None] * len(prompts)
        starts = [
            _said(prompt).partition(JOIN)[2] if start is None else start
            for prompt, start in zip(prompts, known, strict=True)
        ]
        reviews = [start + _said(completion) for start, completion in zip(starts, completions, strict=True)]
        return model.predict_proba(counter.transform(reviews))[:, 1].tolist() if reviews else []

    return positive


def _lines(path: Path) -> Iterable[str]:
    if not path.is_file():
        hint = "Pass data=FOLDER with the two files of NSMC, gzipped and with a rating column."
        raise DataError("The file does not exist.", where=str(path), hint=hint)
    with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="\n") as file:
        next(file, None)  # the header
        for line in file:
            yield line.rstrip("\n")


def _parse(line: str) -> Review | None:
    fields = line.split("\t")  # the files do not quote: a quotation mark is part of the review
    if len(fields) != 4 or "\ufffd" in fields[1] or not fields[3].strip().isdecimal():
        return None
    rating = int(fields[3])
    label = {"1": 9 <= rating <= 10, "0": 1 <= rating <= 4}.get(fields[2])
    text = unicodedata.normalize("NFC", " ".join(fields[1].split()))
    return Review(text, int(fields[2])) if label and text else None


def _enough(found: int, count: int, name: str) -> None:
    if found < count:
        message = f"Found {found:,} reviews that are still free, expected {count:,} for {name}."
        raise DataError(message, where="nsmc", hint=f"Lower {name} or another size.")


def _deal(pool: list[Review], count: int, name: str) -> tuple[list[Review], list[Review]]:
    _enough(len(pool), count, name)
    return pool[:count], pool[count:]


def _deal_balanced(pool: list[Review], count: int, name: str) -> tuple[list[Review], list[Review]]:
    """`count` reviews, half of them positive, in the order of the pool; and the others."""
    wanted = [count // 2, count - count // 2]
    dealt: list[Review] = []
    others: list[Review] = []
    for review in pool:
        free = wanted[review.label] > 0
        wanted[review.label] -= free
        (dealt if free else others).append(review)
    _enough(len(dealt), count, name)
    return dealt, others


def _different_beginnings(pool: list[Review], count: int) -> tuple[list[Review], list[Review]]:
    """The first `count` reviews whose first characters were not met before; and the others."""
    met: set[str] = set()
    dealt: list[Review] = []
    others: list[Review] = []
    for review in pool:
        fresh = len(dealt) < count and review.text[:PREFIX] not in met
        met.add(review.text[:PREFIX])
        (dealt if fresh else others).append(review)
    _enough(len(dealt), count, "prompts and prompts_heldout")
    return dealt, others


def _sentiment_row(review: Review, rng: random.Random) -> dict[str, Any]:
    return {"instruction": rng.choice(ASK), "input": review.text, "output": ANSWERS[review.label]}


def _task_row(review: Review, rng: random.Random) -> dict[str, Any]:
    row = _sentiment_row(review, rng)
    return {**row, "accept": [row["output"]], "format": list(ANSWERS), "kind": "sentiment"}


def _continuation_row(review: Review) -> dict[str, Any]:
    return {"instruction": CONTINUE, "input": review.text[:PREFIX], "output": review.text[PREFIX:]}


def _prompt_row(prefix: str) -> dict[str, Any]:
    return {"prompt": [{"role": "user", "content": CONTINUE + JOIN + prefix}], "prefix": prefix}


def _pair_row(pair: Pair) -> dict[str, Any]:
    answers = {"chosen": pair.chosen.text, "rejected": pair.rejected.text}
    rest = {name: [{"role": "assistant", "content": text[len(pair.prefix) :]}] for name, text in answers.items()}
    return {"prompt": _prompt_row(pair.prefix)["prompt"], **rest}


def _said(text: str | list[dict[str, str]]) -> str:
    return text if isinstance(text, str) else text[-1]["content"]
