"""Answers in the shapes of OpenAI's interface."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Any

from baro.models.noted import Noted
from baro.pipeline.speaker import Piece, Speaker

LOWEST = -9999.0
"""What OpenAI writes for a probability of nothing; JSON has no -inf."""


@dataclass
class Whole:
    """One answer, put together from its pieces."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    noted: list[Noted | None] = field(default_factory=list)
    count: int = 0
    finish: str = ""

    def add(self, piece: Piece) -> None:
        """One more piece."""
        self.text += piece.text
        self.tokens += piece.tokens
        self.noted += piece.noted
        self.count, self.finish = piece.count, piece.finish


class Envelope:
    """What is around every answer to one request.

    Args:
        speaker: who answers.
        chat: chat or plain completion.
    """

    def __init__(self, speaker: Speaker, *, chat: bool) -> None:
        self.speaker, self.chat = speaker, chat
        self.id = f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(12)}"
        self.created = int(time.time())

    def whole(self, choices: list[dict], usage: dict) -> dict[str, Any]:
        """The reply to a request without stream."""
        return self._around("chat.completion" if self.chat else "text_completion", choices) | {"usage": usage}

    def event(self, choices: list[dict], usage: dict | None = None) -> str:
        """One event of a stream."""
        found = self._around("chat.completion.chunk" if self.chat else "text_completion", choices)
        if usage is not None:
            found["usage"] = usage
        return written_down(found)

    def _around(self, kind: str, choices: list[dict]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.speaker.name,
            "choices": choices,
        }

    def message(self, index: int, whole: Whole, tops: int | None) -> dict:
        """A choice of a chat."""
        logs = None if tops is None else self.of_chat(whole.tokens, whole.noted)
        said = {"role": "assistant", "content": whole.text, "refusal": None}
        return {"index": index, "message": said, "logprobs": logs, "finish_reason": whole.finish}

    def text(self, index: int, whole: Whole, tops: int | None) -> dict:
        """A choice of a plain completion."""
        logs = None if tops is None else self.of_text(whole.tokens, whole.noted, 0)
        return {"index": index, "text": whole.text, "logprobs": logs, "finish_reason": whole.finish}

    def delta(self, index: int, piece: Piece, tops: int | None, offset: int) -> list[dict]:
        """The choices that one piece becomes in a stream: its text, and apart from it the end."""
        found = []
        finish = piece.finish or None
        if self.chat:
            if piece.text:
                logs = None if tops is None else self.of_chat(piece.tokens, piece.noted)
                said = {"content": piece.text}
                found.append({"index": index, "delta": said, "logprobs": logs, "finish_reason": None})
            if finish:
                found.append({"index": index, "delta": {}, "logprobs": None, "finish_reason": finish})
        else:
            logs = None if tops is None else self.of_text(piece.tokens, piece.noted, offset)
            found.append({"index": index, "text": piece.text, "logprobs": logs, "finish_reason": finish})
        return found

    def of_chat(self, tokens: Items[int], noted: Items[Noted | None]) -> dict:
        """Log-probabilities as chat has them: of what can be read, so without the end token."""
        return {
            "content": [
                self._token(token, one.log_prob) | {"top_logprobs": [self._token(t, v) for t, v in one.tops]}
                for token, one in zip(tokens, noted, strict=True)
                if one is not None and token not in self.speaker.ends
            ],
            "refusal": None,
        }

    def of_text(self, tokens: Items[int], noted: Items[Noted | None], offset: int) -> dict:
        """Log-probabilities as plain completions have them, of every token drawn, the end token included.

        So an echo with max_tokens=1 always has one token after the prompt, which harnesses take off unseen. The first
        token of an echoed prompt has no probability.
        """
        texts, offsets = [self._text(token) for token in tokens], list[int]()
        for text in texts:
            offsets.append(offset)
            offset += len(text)
        return {
            "tokens": texts,
            "token_logprobs": [None if one is None else max(one.log_prob, LOWEST) for one in noted],
            "top_logprobs": [
                None if one is None else {self._text(t): max(v, LOWEST) for t, v in reversed(one.tops)} for one in noted
            ],
            "text_offset": offsets,
        }

    def _token(self, token: int, log_prob: float) -> dict:
        text = self._text(token)
        whole = "\ufffd" not in text
        return {
            "token": text,
            "logprob": max(log_prob, LOWEST),
            "bytes": list(text.encode()) if whole else None,
        }

    def _text(self, token: int) -> str:
        return self.speaker.tokenizer.decode([token])


def written_down(event: dict) -> str:
    """An event as it is sent."""
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


def usage(prompt: int, completion: int) -> dict[str, int]:
    """Tokens read and written."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
