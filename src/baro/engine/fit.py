"""The one loop that trains everything. It knows batches, losses and counts; it knows nothing of language.

An update is a list of micro-batches and one optimiser step. The loss of every micro-batch is a sum; the gradient is
divided once, by the count of the whole update over all micro-batches and processes. So one micro-batch of eight, eight
of one, and two processes with four each are the same update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Protocol

import torch
from torch import nn

from baro.core.errors import BaroError, NonFiniteError
from baro.core.signals import Stopped
from baro.core.types import Batch, Loss, Mean
from baro.engine import checkpoint, dist, optim, snapshot
from baro.engine.run import Run


class Updates(Protocol):
    """A finite stream of updates that can be left and taken up again."""

    def __iter__(self) -> Iterator[list[Batch]]:
        """Itself."""

    def __next__(self) -> list[Batch]:
        """The micro-batches of the next optimiser step; an empty list when there is nothing to learn."""

    def __len__(self) -> int:
        """Updates from the very beginning to the end, wherever the stream is now."""

    def state(self) -> Any:
        """Where the stream is."""

    def restore(self, state: Any) -> None:
        """Go there."""


@dataclass
class Position:
    """Where the loop is; kept in every checkpoint."""

    step: int = 0
    """Updates made, skipped and empty ones included."""
    taken: int = 0
    """Optimiser steps taken: the schedule's place."""
    skipped: int = 0
    """Updates skipped because they were not finite."""
    bad: int = 0
    """How many of them in a row, up to now."""
    count: float = 0.0
    """Tokens or pairs learnt from so far."""
    logged: float = 0.0
    """How many of them at the last logged line."""
    window: dict[str, list[float]] = field(default_factory=dict)
    """Total and count of every figure since the last logged line."""


@dataclass(frozen=True)
class FitResult:
    """What `fit` did.

    Attributes:
        step: updates made since the run's very beginning, skipped and empty ones included.
        taken: optimiser steps among them.
        skipped: updates skipped because a loss or gradient was not finite.
        resumed_at: the update this call continued after, 0 for a new run.
        evaluation: the figures of the last evaluation, empty when there was none in this call.
        reason: why `on_update` ended the run early, empty when it did not.
    """

    step: int
    taken: int
    skipped: int
    resumed_at: int
    evaluation: dict[str, float]
    reason: str = ""


@dataclass
class _Sums:
    """An update's totals, over micro-batches and then over processes."""

    total: float = 0.0
    count: float = 0.0
    norm: float = 0.0
    stats: dict[str, Mean] = field(default_factory=dict)
    bad_rows: list[str] = field(default_factory=list)
    stop: int = 0
    """The signal that had asked a process to stop before the sums were made, 0 while none did."""

    @property
    def fault(self) -> str:
        """What is not finite, empty when all is."""
        if not isfinite(self.total):
            return f"loss is {self.total}"
        return "" if isfinite(self.norm) else f"gradient norm is {self.norm}"


def fit(
    step: Callable[[Batch], Loss],
    updates: Updates,
    run: Run,
    *,
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    schedule: Callable[[int], float],
    max_grad_norm: float = 1.0,
    save_steps: int = 0,
    save_total_limit: int | None = 2,
    logging_steps: int = 1,
    extra: Mapping[str, snapshot.Resumable] | None = None,
    on_update: Callable[[int, dict[str, float]], str | None] | None = None,
    evaluate: Callable[[int], Mapping[str, float]] | None = None,
    eval_steps: int = 0,
    max_bad_updates: int = 10,
) -> FitResult:
    """Train `modules` on every update of the stream, from wherever the run was left.

    Args:
        step: the SUMMED loss of one micro-batch, which arrives on the first trained parameter's device.
        modules: what is trained, by name; frozen parameters are not kept. Train/eval mode is the recipe's business.
        schedule: optimiser step (from 0) -> part of the peak rate. max_grad_norm: largest global norm; 0 for any.
        save_steps: updates between checkpoints, and one at the end; 0 saves only when a signal stops the run.
        logging_steps: updates averaged into one line of metrics.jsonl.
        extra: further things with a state, kept in every checkpoint.
        on_update: told every optimiser step's figures, on every process; a text it returns ends the run, as if done.
        evaluate: update -> figures, logged as eval/..., every `eval_steps` (0: never) and at the end.

    Raises:
        Stopped: a signal arrived; the update was finished and a checkpoint written.
        NonFiniteError: `max_bad_updates` losses or gradients in a row were NaN or infinite.
        CheckpointError: the checkpoint to resume from is of another model, or one cannot be written.
    """
    extra, total, reason, evaluation = extra or {}, len(updates), "", dict[str, float]()
    at, resumed_at = _resume(run, modules, optimiser, updates, extra)
    keep = lambda: _save(run, at, snapshot.capture(modules, optimiser, updates, extra), save_total_limit)  # noqa: E731
    run.start(at.step, more=at.step < total)
    while at.step < total and not reason:
        sums = _accumulate(step, _next(updates, run, at.step, keep), modules, run)
        at.step = run.done = at.step + 1
        if sums.fault:
            _skip(run, at, sums, max_bad_updates)
        elif sums.count:
            figures = _descend(at, sums, modules, optimiser, schedule, max_grad_norm)
            reason = (on_update and on_update(at.step, figures)) or ""
        last = at.step == total or bool(reason)
        if last or at.step % logging_steps == 0:
            _log(run, at)
        if evaluate is not None and (last or (eval_steps and at.step % eval_steps == 0)):
            evaluation = _evaluate(evaluate, run, at.step)
        run.progress(at.step, total, text=sums.fault or f"loss {Mean(sums.total, sums.count).value:.4f}")
        stop = sums.stop if dist.world() > 1 else run.stopping  # several have to agree, and did with the sums
        if stop or (save_steps and (last or at.step % save_steps == 0)):
            keep()
        if stop:
            raise Stopped(stop, str(run.folder))
    run.finish(at.step, reason)
    return FitResult(at.step, at.taken, at.skipped, resumed_at, evaluation, reason)


def _next(updates: Updates, run: Run, step: int, keep: Callable[[], None]) -> list[Batch]:
    """The next update. When the stream fails (a reward raised), what was learnt is kept: once mended it goes on."""
    try:
        return next(updates)
    except BaroError:
        if step and not dist.from_main(checkpoint.folder_of(run.checkpoints, step).exists()):
            keep()
        raise


def _accumulate(
    step: Callable[[Batch], Loss], update: Sequence[Batch], modules: Mapping[str, nn.Module], run: Run
) -> _Sums:
    """Gradients and figures of one update, summed over micro-batches and processes."""
    parameters = list(optim.trained(modules).values())
    for parameter in parameters:
        parameter.grad = None
    count = sum(batch.count for batch in update)
    if not count:
        return _Sums(stop=max(dist.share(run.stopping)))
    here, losses = _Sums(), []
    for batch in dist.mine(update):
        loss = step(batch.to(parameters[0].device))
        if loss.total.requires_grad:  # a micro-batch without anything to learn may have nothing to differentiate
            (loss.total / count).backward()
        losses.append((batch, loss.total.detach()))
        _add(here.stats, loss.stats)
    for batch, value in losses:  # read only now: reading waits for the device
        here.total += float(value)
        here.bad_rows += batch.where if not isfinite(float(value)) else ()
    dist.sum_gradients(parameters)
    everywhere = _Sums(count=count, norm=float(dist.gradient_norm(parameters)))
    here.stop = run.stopping
    for part in dist.share(here):
        everywhere.stop = max(everywhere.stop, part.stop)
        everywhere.total += part.total
        everywhere.bad_rows += part.bad_rows
        _add(everywhere.stats, part.stats)
    if everywhere.fault and not everywhere.bad_rows:  # every loss is finite, the gradient is not: any may be the one
        everywhere.bad_rows = [row for batch in update for row in batch.where]
    return everywhere


def _add(sums: dict[str, Mean], stats: Mapping[str, Mean]) -> None:
    for name, mean in stats.items():
        sums[name] = sums[name] + mean if name in sums else mean


def _descend(
    at: Position,
    sums: _Sums,
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    schedule: Callable[[int], float],
    max_grad_norm: float,
) -> dict[str, float]:
    """Clip and take the optimiser step; returns the update's figures and adds them to the window."""
    if 0 < max_grad_norm < sums.norm:
        # By the norm of the whole update, summed over processes: each clipping by its own would be another update.
        for parameter in optim.trained(modules).values():
            if parameter.grad is not None:
                parameter.grad.mul_(max_grad_norm / sums.norm)
    rate = optim.set_learning_rate(optimiser, schedule(at.taken))
    optimiser.step()
    at.taken, at.bad, at.count = at.taken + 1, 0, at.count + sums.count
    means = {"loss": Mean(sums.total, sums.count), "grad_norm": Mean(sums.norm, 1), "learning_rate": Mean(rate, 1)}
    means |= sums.stats
    for name, mean in means.items():
        total, count = at.window.get(name, [0.0, 0.0])
        at.window[name] = [total + mean.total, count + mean.count]
    return {name: mean.value for name, mean in means.items()}


def _skip(run: Run, at: Position, sums: _Sums, limit: int) -> None:
    """Leave every weight as it is and name the rows; the stream goes on, until there are too many in a row."""
    at.skipped, at.bad = at.skipped + 1, at.bad + 1
    rows = sums.bad_rows
    named = ", ".join(rows[:8]) + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")
    run.log(at.step, {"skipped": sums.fault, "rows": rows})
    run.say(f"update {at.step} skipped: {sums.fault}. Rows: {named or 'unknown'}. No weight was changed.")
    if at.bad >= limit:
        raise NonFiniteError(
            f"{at.bad} updates in a row were not finite; the last one's {sums.fault}.",
            where=named,
            hint="Lower learning_rate or max_grad_norm, look at these rows, or use dtype=float32.",
        )


def _log(run: Run, at: Position) -> None:
    """The window's means and the count so far, and a new window."""
    figures = {name: Mean(total, count).value for name, (total, count) in at.window.items()}
    run.log(at.step, {**figures, "count": at.count})
    run.log_speed(at.step, at.count - at.logged)
    at.logged, at.window = at.count, {}


def _evaluate(evaluate: Callable[[int], Mapping[str, float]], run: Run, step: int) -> dict[str, float]:
    """Evaluate without moving the training's random numbers, so that how often does not change the result."""
    before = snapshot.random_state()
    figures = {name: float(value) for name, value in evaluate(step).items()}
    snapshot.set_random_state(before)
    run.log(step, {f"eval/{name}": value for name, value in figures.items()})
    return figures


def _save(run: Run, at: Position, tree: dict[str, Any], keep: int | None) -> None:
    """Write the checkpoint on the main process; the others wait, so that none runs ahead of a failed write."""
    if dist.main_rank():
        run.sync()
        checkpoint.save(checkpoint.folder_of(run.checkpoints, at.step), {"position": asdict(at), **tree})
        checkpoint.prune(run.checkpoints, keep)
    dist.barrier()


def _resume(
    run: Run,
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    updates: Updates,
    extra: Mapping[str, snapshot.Resumable],
) -> tuple[Position, int]:
    """Restore everything from the run's checkpoint, if there is one; the loop's place and the update it is at."""
    folder = run.resume_point()
    if folder is None:
        return Position(), 0
    tree = checkpoint.load(folder)
    snapshot.restore(tree, modules, optimiser, updates, extra)
    at = Position(**tree["position"])
    if dist.main_rank():
        checkpoint.discard_after(run.checkpoints, at.step)
    return at, at.step
