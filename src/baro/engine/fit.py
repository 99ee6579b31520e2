"""The one loop that trains everything. It knows batches, losses and counts; it knows nothing of language.

An update is a list of micro-batches and one optimiser step. The loss of every micro-batch is a sum; the gradient is
divided once, by the count of the whole update over all micro-batches and processes. So one micro-batch of eight, eight
of one, and two processes with four each are the same update.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from baro.core.errors import NonFiniteError
from baro.core.types import Batch, Loss, Mean
from baro.engine import checkpoint, dist, optim, snapshot
from baro.engine.run import Run, Stopped


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
    stats: dict[str, Mean] = field(default_factory=dict)
    bad_rows: list[str] = field(default_factory=list)
    norm: float = 0.0


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
        step: the summed loss of one micro-batch, which arrives on the first trained parameter's device.
        updates: the stream; every process makes every update whole and takes its share of the micro-batches.
        run: the open run, which says where to resume from and takes the figures.
        modules: what is trained, by name; frozen parameters are neither trained nor kept. Their train/eval mode is
            the recipe's business.
        optimiser: from `optim.optimiser` over the same modules.
        schedule: optimiser step (from 0) -> learning rate as a part of its peak.
        max_grad_norm: global norm above which gradients are scaled down; 0 for never.
        save_steps: updates between checkpoints, and one at the end; 0 saves only when a signal stops the run.
        save_total_limit: checkpoints kept, None for all.
        logging_steps: updates averaged into one line of metrics.jsonl.
        extra: further things with a state, kept in every checkpoint.
        on_update: called after every optimiser step with the update's figures, on every process; a text it returns
            ends the run early, with that reason, as if its last update were done.
        evaluate: update -> figures, logged as eval/...; every `eval_steps` and at the end. It may draw random numbers
            without changing the training.
        eval_steps: updates between evaluations; 0 for only at the end.
        max_bad_updates: this many updates in a row that are not finite end the run.

    Raises:
        Stopped: a signal arrived; the update was finished and a checkpoint written.
        NonFiniteError: `max_bad_updates` losses or gradients in a row were NaN or infinite.
        CheckpointError: the checkpoint to resume from is of another model, or one cannot be written.
    """
    extra, total, reason = extra or {}, len(updates), ""
    at = _resume(run, modules, optimiser, updates, extra)
    resumed_at, evaluation, clock, counted = at.step, dict[str, float](), time.perf_counter(), at.count
    run.start(at.step, more=at.step < total)
    while at.step < total and not reason:
        update = next(updates)
        at.step += 1
        sums = _accumulate(step, update, modules)
        figures = _descend(at, sums, update, modules, optimiser, schedule, max_grad_norm)
        if isinstance(figures, str):
            _skip(run, at, figures, sums.bad_rows, max_bad_updates)
        elif figures and on_update is not None:
            reason = on_update(at.step, figures) or ""
        last = at.step == total or bool(reason)
        if at.step % logging_steps == 0 or last:
            run.log(at.step, _averages(at))
            run.log_speed(at.step, seconds=time.perf_counter() - clock, count=at.count - counted)
            clock, counted = time.perf_counter(), at.count
        if evaluate is not None and (last or (eval_steps and at.step % eval_steps == 0)):
            evaluation = _evaluate(evaluate, run, at.step)
        run.progress(at.step, total, text=figures if isinstance(figures, str) else _brief(figures))
        stop = max(dist.share(run.stopping))
        if stop or (save_steps and (last or at.step % save_steps == 0)):
            _save(run, at, snapshot.capture(modules, optimiser, updates, extra), save_total_limit)
        if stop:
            raise Stopped(stop, at.step)
    if at.step > resumed_at or run.finished is None:
        run.finish(at.step, reason)
    return FitResult(at.step, at.taken, at.skipped, resumed_at, evaluation, reason)


def _accumulate(step: Callable[[Batch], Loss], update: Sequence[Batch], modules: Mapping[str, nn.Module]) -> _Sums:
    """Gradients and figures of one update, summed over micro-batches and processes."""
    parameters = list(optim.trained(modules).values())
    for parameter in parameters:
        parameter.grad = None
    count = sum(batch.count for batch in update)
    here, losses, weighed = _Sums(), [], []
    for batch in dist.mine(update):
        if batch.count == 0:
            continue  # nothing to learn, so no weight
        loss = step(batch.to(parameters[0].device))
        (loss.total / count).backward()
        losses.append(loss.total.detach())
        weighed.append(batch)
        for name, mean in loss.stats.items():
            here.stats[name] = here.stats.get(name, Mean(0.0, 0.0)) + mean
    for batch, value in zip(weighed, (float(loss) for loss in losses), strict=True):
        here.total += value
        here.bad_rows += batch.where if not _is_finite(value) else ()
    dist.sum_gradients(parameters)
    everywhere = _Sums(count=count)
    for part in dist.share(here):
        everywhere.total += part.total
        everywhere.bad_rows += part.bad_rows
        for name, mean in part.stats.items():
            everywhere.stats[name] = everywhere.stats.get(name, Mean(0.0, 0.0)) + mean
    everywhere.norm = float(dist.gradient_norm(parameters)) if count else 0.0
    return everywhere


def _descend(
    at: Position,
    sums: _Sums,
    update: Sequence[Batch],
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    schedule: Callable[[int], float],
    max_grad_norm: float,
) -> dict[str, float] | str:
    """Take the optimiser step and return the update's figures; or change nothing and say what was not finite."""
    if not sums.count:
        return {}
    if not _is_finite(sums.total) or not _is_finite(sums.norm):
        sums.bad_rows = sums.bad_rows or [row for batch in update for row in batch.where]
        return f"loss is {sums.total}" if not _is_finite(sums.total) else f"gradient norm is {sums.norm}"
    if max_grad_norm:
        # By the norm of the whole update, summed over processes: each clipping by its own would be another update.
        torch.nn.utils.clip_grads_with_norm_(
            optim.trained(modules).values(), max_grad_norm, torch.tensor(sums.norm, dtype=torch.float64)
        )
    rate = optim.set_learning_rate(optimiser, schedule(at.taken))
    optimiser.step()
    at.taken, at.bad, at.count = at.taken + 1, 0, at.count + sums.count
    means = {"loss": Mean(sums.total, sums.count), "grad_norm": Mean(sums.norm, 1), "learning_rate": Mean(rate, 1)}
    means |= sums.stats
    for name, mean in means.items():
        total, count = at.window.get(name, [0.0, 0.0])
        at.window[name] = [total + mean.total, count + mean.count]
    return {name: mean.value for name, mean in means.items()}


def _skip(run: Run, at: Position, what: str, rows: Sequence[str], limit: int) -> None:
    """Log the rows of an update that was not finite; the stream goes on, until there are too many in a row."""
    at.skipped, at.bad = at.skipped + 1, at.bad + 1
    named = ", ".join(rows[:8]) + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")
    run.log(at.step, {"skipped": what, "rows": list(rows)})
    run.say(f"update {at.step} skipped: {what}. Rows: {named or 'unknown'}. No weight was changed.")
    if at.bad >= limit:
        raise NonFiniteError(
            f"{at.bad} updates in a row were not finite; the last one's {what}.",
            where=named,
            hint="Lower learning_rate or max_grad_norm, look at these rows, or use dtype=float32.",
        )


def _brief(figures: Mapping[str, float]) -> str:
    return f"loss {figures['loss']:.4f}" if figures else "nothing to learn"


def _averages(at: Position) -> dict[str, Any]:
    figures = {name: Mean(*sums).value for name, sums in at.window.items()}
    at.window = {}
    return {**figures, "count": at.count}


def _evaluate(evaluate: Callable[[int], Mapping[str, float]], run: Run, step: int) -> dict[str, float]:
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
) -> Position:
    """Restore everything from the run's checkpoint, if there is one."""
    folder = run.resume_point()
    if folder is None:
        return Position()
    tree = checkpoint.load(folder)
    snapshot.restore(tree, modules, optimiser, updates, extra)
    at = Position(**tree["position"])
    if dist.main_rank():
        checkpoint.discard_after(run.checkpoints, at.step)
    return at


def _is_finite(value: float) -> bool:
    return value - value == 0.0
