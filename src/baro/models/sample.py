"""Answers sampled from a model, many at a time.

Slots hold the sequences being continued. Every pass feeds one row: the newest token of each live sequence, and the
prompts that have just been given a slot, end to end. A finished answer leaves at once and the next prompt takes its
place. Samples of one prompt share its prefill, and its keys and values as long as one of them is being continued. What
is drawn depends on (seed, row, sample, step) alone, see `draw`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from baro.core.errors import ConfigError, DataError
from baro.core.types import Answer
from baro.models import attention, trunk
from baro.models.cache import Arrivals, Step
from baro.models.draw import Sampling, draw, stream, uniforms
from baro.models.fallback import generate
from baro.models.layout import for_few_rows
from baro.models.logits import head_of
from baro.models.noted import Noted, noted
from baro.models.store import Store, seated
from baro.models.support import support

__all__ = ["Sampling", "Slots", "Wanted", "fitting", "limit", "sample"]

Kept = TypeVar("Kept")

PREFILL = 8192
"""Prompt tokens in one pass, unless a single prompt is longer."""

MOST = 256
"""Sequences continued at a time: beyond this a pass costs nearly as much again for as many more."""

CACHE = 1 << 29
"""Bytes of keys and values on a CPU."""


@torch.no_grad()
def sample(
    model,
    prompts: Items[list[int]],
    *,
    sampling: Sampling,
    samples: int = 1,
    seed: int = 0,
    first_row: int = 0,
    rows: Items[int] | None = None,
    stopped: Callable[[list[int]], bool] | None = None,
    slots: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Answer]]:
    """`samples` answers to every prompt.

    Args:
        model: a causal language model; run in eval mode whatever mode it is in, and left as it was.
        prompts: token ids, at least one each.
        sampling: how tokens are chosen and when an answer ends.
        seed, first_row: an answer is a function of the seed, first_row + its prompt's index, its number among the
            samples and the model; up to rounding, never of the other prompts or of `slots`.
        rows: the rows' numbers, where they do not follow each other from first_row.
        stopped: asked after every token whether the answer so far is complete, its end token apart.
        slots: sequences continued at a time; default: see `fitting`. progress: called with (answers finished, wanted).

    Returns:
        (B, K) answers. An answer that would leave the model's context is cut there (`ended` False).

    Errors: DataError for an empty prompt or one that fills the model's context; ConfigError for no samples or tokens.
    """
    if sampling.max_new_tokens < 1:
        raise ConfigError(f"max_new_tokens is {sampling.max_new_tokens}; at least one token must be drawn.")
    if samples < 1:
        raise ConfigError(f"samples is {samples}; at least one answer a prompt must be drawn.")
    limits = [limit(model, prompt, f"prompt {index}", sampling) for index, prompt in enumerate(prompts)]
    wanted = [
        Wanted(
            index,
            number,
            list(prompt),
            limits[index],
            stream(seed, first_row + index if rows is None else rows[index], number),
            sampling,
            stopped=stopped,
        )
        for index, prompt in enumerate(prompts)
        for number in range(samples)
    ]
    with _evaluating(model):
        found = support(model)
        if found.packed and found.plain_head:
            longest = max((len(item.prompt) + item.limit for item in wanted), default=1)
            with for_few_rows(model):
                _until_finished(Slots(model, min(slots or fitting(model, longest), len(wanted))), wanted, progress)
        else:
            generate(model, sampling, slots or 32, wanted, progress)
    ends = set(sampling.end_tokens)
    answers = [Answer(item.tokens, item.log_probs, item.tokens[-1] in ends) for item in wanted]
    return [answers[start : start + samples] for start in range(0, len(answers), samples)]


@contextmanager
def _evaluating(model) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def fitting(model, length: int) -> int:
    """How many sequences of `length` tokens to continue at a time.

    As many as their keys and values fit into 512 MiB (an eighth of a GPU's memory), at least 1 and at most 256. It does
    not depend on what is free at the moment, so that a run repeats itself.
    """
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    on_gpu = model.device.type == "cuda"
    room = torch.cuda.get_device_properties(model.device).total_memory // 8 if on_gpu else CACHE
    return max(1, min(MOST, room // (token * max(length, 1))))


@dataclass(frozen=True, eq=False)
class Prompt:
    """The prompt of a row, computed once for several answers."""

    row: int
    tokens: list[int]


@dataclass(eq=False)
class Wanted:
    """One answer: what it continues, and what has been drawn.

    Attributes:
        row: the same for answers to the same prompt, which share its prefill.
        number: of the answer among those to its prompt.
        limit: most tokens drawn.
        stream: see `draw.stream`.
        tops: None, or how many of the most probable tokens to note in `noted` at every step.
        stopped: as in `sample`.
        dropped: nobody waits for it any more; it leaves its slot.
        shared: the prompt, where it is not this answer's alone.
    """

    row: int
    number: int
    prompt: list[int]
    limit: int
    stream: int
    sampling: Sampling
    tops: int | None = None
    stopped: Callable[[list[int]], bool] | None = None
    dropped: bool = False
    shared: Prompt | None = None
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)

    @property
    def stored(self) -> int:
        """How many tokens lie in its own slot, once it has one: the newest has not been fed yet."""
        return len(self.tokens) - 1 + (0 if self.shared else len(self.prompt))

    def finished(self) -> bool:
        """Whether nothing is to be added."""
        if self.dropped or len(self.tokens) >= self.limit or self.tokens[-1] in self.sampling.end_tokens:
            return True
        return self.stopped is not None and self.stopped(self.tokens)


def limit(model, prompt: Items[int], where: str, sampling: Sampling) -> int:
    """How many tokens may be drawn after this prompt.

    Errors: DataError (naming `where`) when it is empty or fills the model's context.
    """
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not prompt:
        raise DataError("the prompt has no tokens.", where=where, hint="Give at least the first token.")
    if context is not None and len(prompt) >= context:
        raise DataError(
            f"the prompt has {len(prompt)} tokens and the model's context is {context}: nothing can be added.",
            where=where,
            hint="Shorten the prompt.",
        )
    room = sampling.max_new_tokens if context is None else context - len(prompt)
    return min(sampling.max_new_tokens, room)


def _until_finished(slots: Slots, wanted: list[Wanted], progress: Callable[[int, int], None] | None) -> None:
    """Continue every answer to its end."""
    slots.waiting.extend(wanted)
    while slots.busy:
        slots.step()
        if slots.leave() and progress is not None:
            progress(len(wanted) - len(slots.live) - len(slots.waiting), len(wanted))


class Slots:
    """The sequences being continued, and the ones that wait.

    `step` and `leave` alternate while it is `busy`; between them answers may be put into `waiting` and be `dropped`.
    The model must be in eval mode. Tensors of a pass are for inference alone; what outlives it must not be made there.

    Args:
        slots: sequences continued at a time.
        prefill: prompt tokens in one pass; the fewer, the shorter the others wait for a long one. Default: PREFILL.
    """

    def __init__(self, model, slots: int, prefill: int | None = None) -> None:
        self.model, self.slots, self.prefill = model, slots, prefill or PREFILL
        self.head = head_of(model)
        self.waiting, self.live = deque[Wanted](), list[Wanted]()
        self.held: list[int] = []  # the slot of each live answer
        self.own, self.shared = Store(slots), Store(0)
        self.prompts: list[Prompt] = []  # in the order of their slots in `shared`
        self.open: tuple[Prompt, Tensor] | None = None  # which the next that waits continues, and its (V,) logits

    @property
    def busy(self) -> bool:
        """Whether an answer is unfinished."""
        return bool(self.waiting or self.live)

    @torch.inference_mode()
    def step(self) -> None:
        """One pass: the first that wait are given the free slots, and every live answer its next token."""
        self.settle()
        self.choose(self.forward(self.admit()))

    def settle(self) -> None:
        """Close the holes that finished answers have left, and those of prompts that nobody continues any more."""
        needed = {item.shared for item in self.live} | {self.open and self.open[0]}
        held = [slot for slot, prompt in enumerate(self.prompts) if prompt in needed]
        prompts = [self.prompts[slot] for slot in held]
        self.prompts = _moved(self.shared, prompts, held, [len(prompt.tokens) for prompt in prompts])
        self.live = _moved(self.own, self.live, self.held, [item.stored for item in self.live])

    def admit(self) -> list[Wanted]:
        """Give free slots to the first that wait, as long as their prompts fit into one pass."""
        free, room, new = self.slots - len(self.live), self.prefill, list[Wanted]()
        rows = {self.open[0].row} if self.open else set()
        while self.waiting and len(new) < free:
            item = self.waiting[0]
            cost = 0 if item.row in rows else len(item.prompt)
            if cost > room and (new or self.live):
                break
            room -= cost
            rows.add(item.row)
            new.append(self.waiting.popleft())
        return new

    def forward(self, new: list[Wanted]) -> Tensor:
        """One pass; (B, V) logits of the next token of every live sequence, the new ones appended to the old."""
        old, read, found = self.live, len(self.prompts), dict[int, Tensor]()
        if self.open:
            found[self.open[0].row] = self.open[1]
        fresh = self.share(new)
        places = [
            (self.shared, self.prompts.index(item.shared), len(item.prompt))
            if item.shared
            else (self.own, len(old) + new.index(item), len(item.prompt))
            for item in fresh
        ]
        lengths = [len(prompt.tokens) for prompt in self.prompts]
        self.shared.fit(len(lengths), max(lengths, default=0), max(lengths[:read], default=0))
        self.own.advance(
            max(1, *(item.stored + 1 for item in (*old, *new))), max((item.stored for item in old), default=0)
        )
        if old or fresh:
            logits = self.passed(old, fresh, places, lengths[:read])
            found |= {item.row: logits[len(old) + index] for index, item in enumerate(fresh)}
        else:
            logits = torch.empty(0)
        self.live, self.held = [*old, *new], list(range(len(old) + len(new)))
        if not new:
            return logits
        last = new[-1].shared
        self.open = (last, found[last.row]) if last and self.waiting and self.waiting[0].row == last.row else None
        rows = torch.stack([found[item.row] for item in new])
        return torch.cat([logits[: len(old)], rows]) if old else rows

    def share(self, new: list[Wanted]) -> list[Wanted]:
        """Find the shared prompts of these, or begin them; one of each prompt that is to be computed, in order."""
        rows, known = Counter(item.row for item in new), dict[int, Prompt]()
        if self.waiting:
            rows[self.waiting[0].row] += 1
        if self.open:
            known[self.open[0].row] = self.open[0]
        fresh = dict[int, Wanted]()
        for item in new:
            if item.row not in known:
                fresh.setdefault(item.row, item)
                if rows[item.row] > 1:
                    known[item.row] = Prompt(item.row, item.prompt)
                    self.prompts.append(known[item.row])
            item.shared = known.get(item.row)
        return list(fresh.values())

    def passed(
        self, old: list[Wanted], fresh: list[Wanted], where: list[tuple[Store, int, int]], lengths: list[int]
    ) -> Tensor:
        """Run the model on the newest tokens of `old` and the prompts of `fresh`; logits of both.

        Args:
            where: each of these prompts goes, see `Arrivals`. lengths: of the shared prompts that are there already.
        """
        device = self.model.device
        places = [len(item.prompt) + len(item.tokens) - 1 for item in old]
        tokens, positions, asked = [item.tokens[-1] for item in old], list(places), list(range(len(old)))
        for item in fresh:
            tokens += item.prompt
            positions += range(len(item.prompt))
            asked.append(len(tokens) - 1)
        arrivals = None
        if fresh:
            arrivals = Arrivals(attention.packed(tuple(len(item.prompt) for item in fresh), device), where)
        slots = {prompt: slot for slot, prompt in enumerate(self.prompts)}
        homes = [slots[item.shared] if item.shared else None for item in old]
        step = Step(self.own, [item.stored + 1 for item in old], self.shared, lengths, homes, arrivals, device)
        row = torch.tensor([tokens, positions], device=device)
        wanted = torch.tensor(asked, device=device) if fresh else None
        return self.head.logits(trunk.run(self.model, row[0], row[1], step, wanted))

    def choose(self, logits: Tensor) -> None:
        """Draw the next token of every live sequence."""
        streams = np.array([item.stream for item in self.live], dtype=np.uint64)
        steps = np.array([len(item.tokens) for item in self.live], dtype=np.uint64)
        uniform, alike = uniforms(streams, steps), defaultdict[Sampling, list[int]](list)
        for slot, item in enumerate(self.live):
            alike[item.sampling].append(slot)
        for sampling, slots in alike.items():
            whole = len(alike) == 1
            tokens, log_probs = draw(logits if whole else logits[slots], uniform if whole else uniform[slots], sampling)
            for slot, token, log_prob in zip(slots, tokens.tolist(), log_probs.tolist(), strict=True):
                self.live[slot].tokens.append(token)
                self.live[slot].log_probs.append(log_prob)
        for slot, item in enumerate(self.live):
            if item.tops is not None:
                item.noted += noted(logits[slot : slot + 1], item.tokens[-1:], item.tops)

    def leave(self) -> bool:
        """Take finished sequences out; whether there were any. Their slots are filled by `settle`."""
        stay = [(item, slot) for item, slot in zip(self.live, self.held, strict=True) if not item.finished()]
        some = len(stay) < len(self.live)
        self.live, self.held = [item for item, _ in stay], [slot for _, slot in stay]
        return some


def _moved(store: Store, items: list[Kept], held: list[int], lengths: list[int]) -> list[Kept]:
    """Move what stays of a store to its first slots, see `store.seated`; the items in the order of their slots."""
    seats = seated(held, lengths)
    store.move(held, seats, lengths)
    return [item for _, item in sorted(zip(seats, items, strict=True), key=lambda pair: pair[0])]
