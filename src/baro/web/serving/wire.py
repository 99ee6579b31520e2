"""What clients of OpenAI's interface send, checked: unknown or unsupported keys are refused, never quietly ignored."""

from __future__ import annotations

import difflib
import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from baro.data.records import Message
from baro.pipeline.speaker import Wish

MOST_ANSWERS = 128
"""Answers in one request, over all its prompts."""
IGNORED = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls")
"""Keys that ask for nothing an answer could show."""
UNSUPPORTED = (
    "presence_penalty", "frequency_penalty", "logit_bias", "tools", "tool_choice", "functions", "function_call",
    "response_format", "modalities", "audio", "prediction", "reasoning_effort", "web_search_options", "best_of",
    "suffix", "verbosity",
)  # fmt: skip
"""Keys that would change the answer in a way this server cannot; refused unless they ask for what is done anyway."""
HARMLESS = {"response_format": {"type": "text"}, "tool_choice": "none", "best_of": 1, "modalities": ["text"]}


class WireError(Exception):
    """An error in the shape OpenAI's clients expect.

    Args:
        status: of HTTP.
        message: what was found, expected, and what to do.
        param: the key it is about.
        code: for programs.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        self.status = status
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        super().__init__(message)


Kind = TypeVar("Kind", bound="Asked")


class StreamOptions(BaseModel):
    """Options of a stream."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool = False
    include_obfuscation: bool = False


class Asked(BaseModel):
    """What both interfaces share."""

    model_config = ConfigDict(extra="forbid")

    model: str
    temperature: float = Field(default=1.0, ge=0, le=10)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    n: int = Field(default=1, ge=1, le=MOST_ANSWERS)
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    stop: str | list[str] = Field(default=[], max_length=1 << 16)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @model_validator(mode="before")
    @classmethod
    def _told(cls, data: Any) -> Any:
        """null means: not given. What changes nothing goes, what cannot be done is said."""
        if not isinstance(data, dict):
            raise ValueError("expected a JSON object")
        kept = {key: value for key, value in data.items() if value is not None and key not in IGNORED}
        for key in UNSUPPORTED:
            if key in kept and kept.pop(key) not in (HARMLESS.get(key), 0, {}, []):
                raise ValueError(f"'{key}' is not supported by this server; leave it out")
        known = sorted(cls.model_fields)
        for key in kept:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known)}"
                raise ValueError(f"there is no parameter '{key}'; {hint}")
        return kept

    def wish(self, *, tops: int | None, most: int | None) -> Wish:
        """What the speaker is asked for; at most `most` tokens."""
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if len(stops) > 16 or not all(stops):
            raise WireError("'stop' takes up to 16 texts, none of them empty.", param="stop")
        seed = None if self.seed is None else self.seed % (1 << 64)
        return Wish(self.temperature, self.top_k, self.top_p, self.min_p, most, self.n, seed, stops, tops)


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="ignore")  # clients send their own messages back, with all their fields
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] = ""

    def message(self) -> Message:
        """As the templates take it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class Chat(Asked):
    """POST /v1/chat/completions."""

    messages: list[Turn] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0, le=20)

    @property
    def tops(self) -> int | None:
        """See Wish."""
        return self.top_logprobs if self.logprobs else None

    @property
    def most(self) -> int | None:
        """Longest answer, tokens; None: what the context allows."""
        return self.max_completion_tokens or self.max_tokens


class Completion(Asked):
    """POST /v1/completions."""

    prompt: str | list[int] | list[str] | list[list[int]]
    max_tokens: int = Field(default=16, ge=0)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    echo: bool = False

    def prompts(self) -> list[str | list[int]]:
        """One or many; a list of numbers is one prompt of token ids."""
        found = self.prompt
        if isinstance(found, str) or not found or isinstance(found[0], int):
            return [found]  # type: ignore[list-item]
        return list(found)  # type: ignore[arg-type]


async def parsed(request: Request, kind: type[Kind]) -> Kind:
    """The body of a request. Errors: WireError."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise WireError("the body is not JSON.") from None
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "function-")))
        reason = first["msg"].removeprefix("Value error, ")
        raise WireError(f"{place + ': ' if place else ''}{reason}.", param=place or None) from None
