"""Several processes as one: who we are, and the sums that make their updates the same update.

Every process makes every update whole and takes micro-batches rank::world of it, so the order of the data and the count
an update is divided by do not depend on how many processes there are. Gradients are summed, never averaged. With one
process everything here is the identity. Sharded parameters, when there are any, will be this file's business alone.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from baro.core.errors import ConfigError

T = TypeVar("T")


def start() -> None:
    """Join the processes torchrun started (its RANK, WORLD_SIZE, LOCAL_RANK, MASTER_*); nothing to do without them.

    NCCL where there are GPUs, one per process; gloo otherwise.

    Raises:
        ConfigError: more processes than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"found {torch.cuda.device_count()} GPUs for process {local} (counted from 0), expected one for each.",
                hint="Start torchrun with --nproc_per_node at most the number of GPUs.",
            )
        torch.cuda.set_device(local)
    # Imported later, as every optimiser does, its default arguments would keep the group and its threads alive after
    # `stop`, and a thread that frees a tensor while the interpreter goes aborts the process (pytorch#190489).
    importlib.import_module("torch.distributed.nn")
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(stop)  # a group that is still there when the interpreter goes may abort the process


def stop() -> None:
    """Leave the group that `start` joined; at the end of the process it happens by itself."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    """This process's number, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def main_rank() -> bool:
    """Whether this is the process that writes files and speaks."""
    return rank() == 0


def mine(items: Sequence[T]) -> Sequence[T]:
    """This process's part of an update."""
    return items[rank() :: world()]


def part(total: int) -> tuple[int, int]:
    """(first, last + 1) of this process's consecutive share of `total` rows; all shares together are all rows."""
    return rank() * total // world(), (rank() + 1) * total // world()


def share(value: T) -> list[T]:
    """Every process's `value`, in rank order, the same list everywhere."""
    if world() == 1:
        return [value]
    values: list[T | None] = [None] * world()
    distributed.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def from_main(value: T) -> T:
    """The main process's `value`, on every process."""
    return share(value)[0]


def barrier() -> None:
    """Wait until every process is here."""
    if world() > 1:
        distributed.barrier()


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up every process's gradients, in place, with one flat all-reduce per dtype.

    A parameter that has a gradient on some processes only counts as 0 on the others; one that has none anywhere keeps
    None, so that it does not decay. Half precision is summed in float32.
    """
    if world() == 1:
        return
    by_dtype: dict[torch.dtype, list[nn.Parameter]] = {}
    for parameter in parameters:
        by_dtype.setdefault(parameter.dtype, []).append(parameter)
    for dtype, group in by_dtype.items():
        wide = torch.promote_types(dtype, torch.float32)
        present = torch.tensor([float(p.grad is not None) for p in group], dtype=wide, device=group[0].device)
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in group]
        flat = torch.cat([present, *(piece.reshape(-1).to(wide) for piece in pieces)])
        distributed.all_reduce(flat)
        sums = flat[len(group) :].split([p.numel() for p in group])
        for parameter, total, seen in zip(group, sums, flat[: len(group)].tolist(), strict=True):
            parameter.grad = total.view_as(parameter).to(dtype) if seen else None


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """() the Euclidean norm of all gradients together, after `sum_gradients`: the same on every process."""
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
