"""Noise in the world's data, so that choosing and filtering have something to find; each row says what was planted.

`instruct_noisy.jsonl` holds good answers (right, never rude, brief) and, for the planted share, wrong, rude or rambling
ones; `text_noisy.jsonl` holds documents of the world and, for the planted share, what a crawl brings along: notices,
words in no order, one sentence again and again, broken encodings. `labelled_*.jsonl` are a few hundred further rows
whose `label` a careful reader gave, who errs once in twenty. The column `planted` is for the tests: nothing may learn
from it.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from baro.core.errors import ConfigError
from baro.playground import text as told
from baro.playground.answers import Mix, Style, answer
from baro.playground.files import shared_out, split_sizes, write
from baro.playground.tasks import Task
from baro.playground.world import dice, world

CLEAN = Mix(right=1.0, polite=0.6, blunt=0.0, full=0.6, rambling=0.0, sloppy=0.0, flattery=(1.0,))
FAULTS: dict[str, dict[str, Any]] = {
    "wrong": {"right": False},
    "rude": {"manners": "blunt"},
    "rambling": {"rambling": True, "flattery": 2},
}
LABEL_ERROR = 0.05
NOTICES = {
    "en": (
        "Click here to accept all cookies and continue to the site.",
        "Subscribe to our newsletter | Log in | Register | Help",
        "You must enable javascript to view this page.",
        "Share this: Facebook Twitter Email Print",
        "Copyright 2019. All rights reserved. Terms of use apply.",
        "Buy now!!! Best prices, free shipping, limited offer!!!",
        "Page 3 of 12 << previous next >>",
        "Sign up today to read more...",
    ),
    "ko": (
        "모든 쿠키를 허용하고 계속하려면 여기를 누르세요",
        "로그인 | 회원가입 | 고객센터 | 사이트맵",
        "이 페이지를 보려면 자바스크립트를 켜야 합니다",
        "공유하기: 페이스북 트위터 메일 인쇄",
        "무단 전재 및 재배포 금지. 이용약관이 적용됩니다",
        "지금 구매하세요!!! 최저가 무료배송 한정 특가!!!",
        "12쪽 중 3쪽 << 이전 다음 >>",
        "더 보려면 오늘 가입하세요...",
    ),
}


def export_noisy(
    folder: Path,
    *,
    lang: str = "en",
    seed: int = 0,
    people: int = 48,
    rows: int = 10_000,
    noise: float = 0.3,
    documents: int = 24_000,
    text_noise: float = 0.5,
    labelled: int = 400,
    instructions: int = 12_000,
    preferences: int = 6_000,
    prompts: int = 2_000,
    eval_prompts: int = 600,
) -> dict[str, int]:
    """Write instruct_noisy, labelled_instruct, text_noisy and labelled_text; a pure function of the arguments.

    Args:
        folder: where `export` wrote the clean files, or a new one.
        rows, noise: instruction rows, and the share of them with a planted fault. documents, text_noise: likewise.
        labelled: rows of each labelled file, half of them good.
        lang, seed, people, instructions, preferences, prompts, eval_prompts: as in `export`; with the same values no
            held-out prompt of `export` is among the rows.

    Raises:
        ConfigError: more rows than instructions, or shares outside 0 … 1.
    """
    if rows > instructions or labelled > prompts:
        raise ConfigError(f"rows={rows} of {instructions} instructions and labelled={labelled} of {prompts} prompts.")
    if not (0 <= noise <= 1 and 0 <= text_noise <= 1):
        raise ConfigError(f"noise={noise} and text_noise={text_noise}; expected shares from 0 to 1.")
    tasks = shared_out(
        world(lang, seed=seed, people=people), split_sizes(instructions, preferences, prompts, eval_prompts)
    )
    roll = dice(seed, lang, "noise")
    clean = told.documents(world(lang, seed=seed, people=people), documents + labelled)
    files = {
        "instruct_noisy": [_row(task, noise, roll) for task in tasks["instruct"][:rows]],
        "labelled_instruct": [_labelled(_row(task, 0.5, roll), roll) for task in tasks["prompts"][:labelled]],
        "text_noisy": [_document(text, lang, text_noise, roll) for text in clean[:documents]],
        "labelled_text": [_labelled(_document(text, lang, 0.5, roll), roll) for text in clean[documents:]],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in files.items():
        write(folder / f"{name}.jsonl", found)
    return {name: len(found) for name, found in files.items()}


def _row(task: Task, noise: float, roll: Random) -> dict:
    fault = roll.choice(list(FAULTS)) if roll.random() < noise else ""
    style = CLEAN.draw(roll)
    if fault:
        style = Style(**{**vars(style), **FAULTS[fault]})
    output = answer(task, style, roll)
    row = {"instruction": task.instruction, "input": task.input, "output": output, "kind": task.kind}
    return row | {"planted": fault}


def _labelled(row: dict, roll: Random) -> dict:
    good = not row.pop("planted")
    return row | {"label": int(good != (roll.random() < LABEL_ERROR))}


def _document(text: str, lang: str, noise: float, roll: Random) -> dict:
    if roll.random() >= noise:
        return {"text": text, "planted": ""}
    kind = roll.choice(("notice", "scrambled", "repeated", "broken"))
    return {"text": _SPOILT[kind](text, lang, roll), "planted": kind}


def _notice(text: str, lang: str, roll: Random) -> str:
    del text
    return "\n".join(roll.sample(NOTICES[lang], roll.randint(3, 5)))


def _scrambled(text: str, lang: str, roll: Random) -> str:
    del lang
    words = text.split()
    roll.shuffle(words)
    return " ".join(words)


def _repeated(text: str, lang: str, roll: Random) -> str:
    del lang
    sentence = text.split(". ")[0].rstrip(".") + "."
    return " ".join([sentence] * roll.randint(4, 7))


def _broken(text: str, lang: str, roll: Random) -> str:
    """Text whose encoding was lost on the way: a third of the letters are other signs."""
    del lang
    return "".join(roll.choice("�¤§¶Ã¿±#%^~|\\") if roll.random() < 0.35 else letter for letter in text)


_SPOILT = {"notice": _notice, "scrambled": _scrambled, "repeated": _repeated, "broken": _broken}
