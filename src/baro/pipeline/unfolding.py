"""Tokens that arrive one by one, as text that never has to be taken back."""

from __future__ import annotations

from collections.abc import Sequence as Items

HALF = "\ufffd"
"""What a decoder writes for bytes that are not a whole character yet."""
WINDOW = 4
"""Tokens decoded before the new ones: some decoders write a token's space only when something stands before it."""


class Unfolding:
    """The text of one answer.

    Args:
        tokenizer: of the model.
        stops: texts at the first of which the answer ends; they do not belong to it.
    """

    def __init__(self, tokenizer, stops: Items[str] = ()) -> None:
        self.tokenizer, self.stops = tokenizer, [stop for stop in stops if stop]
        self.tokens: list[int] = []
        self.decoded = 0  # tokens whose text is in `held` or was given out
        self.held = ""
        self.told = 0  # tokens reported by whoever uses this

    def add(self, token: int, *, last: bool = False, special: bool = False) -> tuple[str, bool]:
        """(text that can be shown now, whether a stop text was met).

        Args:
            last: nothing more comes, so nothing is held back.
            special: the token ends the answer and has no text.
        """
        if not special:
            self.tokens.append(token)
        start = max(0, self.decoded - WINDOW)
        before = self._decode(self.tokens[start : self.decoded])
        text = self._decode(self.tokens[start:])
        if last or not text.endswith(HALF):
            self.held += text[len(before) :]
            self.decoded = len(self.tokens)
        found = [self.held.find(stop) for stop in self.stops if stop in self.held]
        if found:
            text, self.held = self.held[: min(found)], ""
            return text, True
        keep = 0 if last else max((_begun(self.held, stop) for stop in self.stops), default=0)
        text, self.held = self.held[: len(self.held) - keep], self.held[len(self.held) - keep :]
        return text, False

    def _decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)


def _begun(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
