"""The page to talk to the models: side by side, and a click says which answer is better."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from baro.data.choices.store import Pair, Store
from baro.data.records import Message
from baro.pipeline.speaker import Speaker
from baro.web.app import Pages
from baro.web.words import Table

WORDS: Table = {
    "title": ("Talk to a model", "모델과 대화하기"),
    "lead": (
        "Every model answers the same question. Say which answer is better, and the choice is kept as preference data.",
        "모든 모델이 같은 질문에 답합니다. 더 나은 답을 고르면 그 선택이 선호 데이터로 저장됩니다.",
    ),
    "lead_one": ("The model answers as it writes.", "모델이 쓰는 대로 답이 나타납니다."),
    "settings": ("Settings", "설정"),
    "models": ("Who answers", "답할 모델"),
    "twice": ("Two answers of each model", "모델마다 답 두 개"),
    "blind": ("Hide names until I have chosen", "고르기 전에는 이름 숨기기"),
    "system": ("System message", "시스템 메시지"),
    "temperature": ("Temperature", "온도(temperature)"),
    "max_tokens": ("Longest answer, tokens", "답의 최대 길이(토큰)"),
    "question": ("Your question", "질문"),
    "placeholder": ("Ask something …", "무엇이든 물어보세요 …"),
    "send": ("Send", "보내기"),
    "stop": ("Stop", "멈추기"),
    "again": ("Answer again", "다시 답하기"),
    "new": ("New talk", "새 대화"),
    "you": ("You", "나"),
    "answer": ("Answer {letter}", "답 {letter}"),
    "better": ("This one is better", "이 답이 더 낫습니다"),
    "tie": ("Equally good", "비슷합니다"),
    "chosen": ("Your choice", "고른 답"),
    "kept": ("Kept. Choices in this talk: {count}", "저장했습니다. 이 대화에서 고른 횟수: {count}"),
    "not_kept": ("The choice was not kept: {reason}", "선택을 저장하지 못했습니다: {reason}"),
    "continues": (
        "The talk goes on with the answer you choose, or with the first.",
        "고른 답으로 대화가 이어집니다. 고르지 않으면 첫 번째 답으로 이어집니다.",
    ),
    "figures": (
        "{tokens} tokens · first after {first} ms · {speed} tokens/s",
        "토큰 {tokens}개 · 첫 토큰 {first} ms · 초당 {speed}개",
    ),
    "cut": ("cut at the longest length", "최대 길이에서 잘림"),
    "stopped": ("stopped", "멈춤"),
    "nothing": ("(nothing was written)", "(아무것도 쓰지 않았습니다)"),
    "writing": ("writing", "쓰는 중"),
    "none": ("Choose at least one model.", "모델을 하나 이상 고르십시오."),
    "empty": ("Ask the first question below.", "아래에 첫 질문을 적어 보십시오."),
}  # fmt: skip
SPOKEN = (
    "you", "answer", "better", "tie", "chosen", "kept", "not_kept", "continues", "figures", "cut", "stopped",
    "nothing", "writing", "none", "offline", "refused", "error",
)  # fmt: skip


class Turn(BaseModel):
    """One message of the talk."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str


class Said(BaseModel):
    """One answer as it stood on the page."""

    model_config = ConfigDict(extra="forbid")
    model: str
    text: str
    side: int = Field(ge=0, lt=16)


class Choice(BaseModel):
    """A person's choice between answers to the same prompt.

    Attributes:
        best: index of the better answer; None: they are equally good.
        key: drawn by the page for every question, so that the same click twice counts once.
    """

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern="^[A-Za-z0-9-]+$")
    prompt: list[Turn] = Field(min_length=1, max_length=1000)
    answers: list[Said] = Field(min_length=2, max_length=16)
    best: int | None = Field(default=None, ge=0, lt=16)
    seconds: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _best_is_one(self) -> Choice:
        if self.best is not None and self.best >= len(self.answers):
            raise ValueError(f"'best' is {self.best}, but there are {len(self.answers)} answers")
        return self


def keep(store: Store, choice: Choice, person: str) -> None:
    """The better answer with each of the others as a pair; of equally good ones, every two as a tie.

    Errors: DataError from the store.
    """
    prompt = tuple(Message(turn.role, turn.content) for turn in choice.prompt)
    answers, best = choice.answers, choice.best
    every = itertools.combinations(range(len(answers)), 2)
    for one, other in [(a, b) for a, b in every if best in (None, a, b)]:
        first, second = answers[one], answers[other]
        pair = Pair(
            prompt,
            (Message("assistant", first.text),),
            (Message("assistant", second.text),),
            (first.model, second.model),
        )
        if pair.a == pair.b:
            continue
        said: Literal["a", "b", "tie"] = "tie" if best is None else "a" if best == one else "b"
        left = "a" if first.side < second.side else "b"
        click = f"{choice.key}-{one}-{other}"
        store.record(pair, person, said, click, left=left, seconds=choice.seconds)


def add(app: FastAPI, pages: Pages, speakers: Mapping[str, Speaker], store: Store | None) -> None:
    """Add the page, and where its clicks go: `store`; without one the page offers no choice."""

    @app.get("/")
    def talk(request: Request) -> Response:
        t = pages.speech(request)
        models = [{"name": name, "context": speaker.context} for name, speaker in speakers.items()]
        facts = {"models": models, "choices": store is not None, "words": t.some(*SPOKEN)}
        return pages.render(request, "talk.html", facts=facts)

    if store is not None:

        @app.post("/choices")
        async def choose(request: Request, choice: Choice) -> dict:
            await run_in_threadpool(keep, store, choice, request.state.person)
            return {"kept": True}
