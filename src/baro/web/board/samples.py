"""Sampled answers of a stage: an index of a file of JSON lines, of which one part at a time is read."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

CHUNK = 1 << 23
"""Bytes of the file that one look indexes."""
TOGETHER = 4
"""Lines shown at a time where they name no update."""
LONGEST = 4_000
"""Characters of one answer."""


class Samples:
    """A file whose lines have `prompt`, `completions` and, where they come from rollouts, `step`.

    Only what is new is indexed, and only the lines asked for are read again. A file that was replaced or became shorter
    is indexed anew.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.identity, self.offset, self.lines, self.counted = 0, 0, 0, True
        self.parts: dict[int, list[int]] = {}  # update, or number of the part → where it begins and ends, bytes

    def at(self, step: int | None) -> dict[str, Any]:
        """The answers of update `step`, the newest where None or unknown; and which updates there are.

        Returns:
            {"steps", "counted": whether they are updates, "step", "rows": [{"prompt", "completions", "rewards"}]}
        """
        with self.lock:
            try:
                with self.path.open("rb") as file:
                    self._index(file)
                    if step not in self.parts:
                        step = next(reversed(self.parts), None)
                    begin, end = self.parts[step] if step is not None else (0, 0)
                    file.seek(begin)
                    block = file.read(end - begin)
            except OSError:
                step, block = None, b""
            steps = list(self.parts)
        rows = [_row(line) for line in map(_json, block.splitlines()) if isinstance(line.get("completions"), list)]
        return {"steps": steps, "counted": self.counted, "step": step, "rows": rows}

    def _index(self, file) -> None:
        status = self.path.stat()
        if status.st_ino != self.identity or status.st_size < self.offset:
            self.identity, self.offset, self.lines, self.counted, self.parts = status.st_ino, 0, 0, True, {}
        file.seek(self.offset)
        block = file.read(CHUNK)
        for line in block[: block.rfind(b"\n") + 1].splitlines(keepends=True):
            step = _json(line).get("step")
            if not isinstance(step, int):
                step, self.counted = self.lines // TOGETHER, False
            begin, self.offset, self.lines = self.offset, self.offset + len(line), self.lines + 1
            self.parts.setdefault(step, [begin, 0])[1] = self.offset


def _json(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _row(line: dict[str, Any]) -> dict[str, Any]:
    rewards = line.get("rewards")
    return {
        "prompt": _text(line.get("prompt"), alone="user"),
        "completions": [_text(each, alone="assistant") for each in line["completions"]],
        "rewards": rewards if isinstance(rewards, list) else [],
    }


def _text(said: Any, *, alone: str) -> str:
    """A text, or messages as one text: a single one of the usual role without its name."""
    if not isinstance(said, list):
        return str(said or "")[:LONGEST]
    turns = [(str(turn.get("role", "")), str(turn.get("content", ""))) for turn in said if isinstance(turn, dict)]
    if len(turns) == 1 and turns[0][0] == alone:
        return turns[0][1][:LONGEST]
    return "\n".join(f"{role}: {content}" for role, content in turns)[:LONGEST]
