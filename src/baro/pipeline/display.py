"""One progress display for a whole chain: the stage at work, the stages to come, the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from baro.pipeline.journal import Journal

EVERY = 20.0


def clock(seconds: float) -> str:
    """12.3 → '12 s', 75 → '1 min 15 s', 4000 → '1 h 07 min'."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Display:
    """Progress of stages on a terminal, or as plain lines where there is none.

    Args:
        expected: stage → seconds it is expected to take, in the order of the run. What finished stages really took
            scales what is still to come.
        quiet: print nothing (all ranks but the first).
        journal: where the same is written for others to see.
    """

    def __init__(self, expected: Mapping[str, float], *, quiet: bool = False, journal: Journal | None = None) -> None:
        self.journal = None if quiet else journal
        self.expected, self.console = dict(expected), Console(quiet=quiet, highlight=False)
        self.live = self.console.is_terminal and not quiet
        self.started, self.spent, self.said = time.monotonic(), dict[str, float](), 0.0
        self.stage, self.since = "", self.started
        columns = (TextColumn("[bold]{task.description:<18}"), BarColumn(40), TextColumn("{task.fields[text]}"))
        self.progress = Progress(*columns, console=self.console, transient=True)
        self.whole = self.progress.add_task("whole run", total=1.0, text="")
        self.part = self.progress.add_task("", total=1.0, text="", visible=False)

    def __enter__(self) -> Display:
        if self.live:
            self.progress.start()
        return self

    def __exit__(self, kind, error: BaseException | None, trace) -> None:
        if self.live:
            self.progress.stop()
        if self.journal:
            self.journal.close(error)

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, markup=False)

    def begin(self, stage: str) -> None:
        """A stage starts."""
        self.stage, self.since = stage, time.monotonic()
        self.progress.update(self.part, description=stage, completed=0.0, text="", visible=True)
        if not self.live:
            self.say(f"{stage} …")
        if self.journal:
            self.journal.note(stage, left=self.left(0.0), state="running", since=time.time())

    def skip(self, stage: str) -> None:
        """A stage is finished already."""
        self.expected[stage] = 0.0
        if self.journal:
            self.journal.note(stage, state="skipped")
        self.say(f"{stage}: done before, nothing it depends on has changed")

    def end(self, stage: str, text: str) -> None:
        """A stage is finished; `text` says what came out."""
        self.spent[stage] = time.monotonic() - self.since
        if self.journal:
            self.journal.note(stage, state="done", seconds=self.spent[stage], headline=text)
        self.progress.update(self.part, visible=False)
        self.say(f"{stage}: {clock(self.spent[stage])}{', ' + text if text else ''}")

    def __call__(self, progress) -> None:
        """A step of the present stage, as `engine.run` reports it."""
        share = progress.done / progress.total if progress.total else 0.0
        now, left = time.monotonic(), self.left(share)
        text = f"{progress.done:,}/{progress.total:,} {progress.unit} {progress.text}".rstrip()
        if self.journal:
            facts = {"done": progress.done, "total": progress.total, "unit": progress.unit, "text": progress.text}
            self.journal.note(self.stage, left=left, seconds=now - self.since, **facts)
        if self.live:
            total = now - self.started + left
            self.progress.update(self.part, completed=share, text=text)
            self.progress.update(self.whole, completed=1 - left / max(total, 1e-9), text=f"{clock(left)} left")
        elif now - self.said > EVERY:
            self.said = now
            self.say(f"  {self.stage} {share:4.0%} · {text} · about {clock(left)} left in all")

    def left(self, share: float) -> float:
        """Seconds left in the whole chain, from the present stage's speed and the others' expectation."""
        done = [name for name in self.spent if self.expected.get(name)]
        trust = 0.1 * sum(self.expected.values()) or 1.0  # a short first stage says little about the others
        scale = (trust + sum(self.spent[name] for name in done)) / (trust + sum(self.expected[name] for name in done))
        names = list(self.expected)
        later = names[names.index(self.stage) + 1 :] if self.stage in names else names
        here = time.monotonic() - self.since
        present = here / share - here if share > 0.02 else max(self.expected.get(self.stage, 0) * scale - here, 0)
        return present + scale * sum(self.expected[name] for name in later)
