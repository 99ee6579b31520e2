"""A language of eleven letters: a model, rows of unequal length, and a stream of updates over them."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from baro.core.types import Batch, Loss, Mean
from baro.engine import optim
from baro.engine.fit import fit
from baro.engine.run import Run

VOCABULARY, WIDTH = 11, 6


class Toy(nn.Module):
    """Embedding, dropout, layer norm, output; `tied` shares the embedding with the output."""

    def __init__(self, *, seed: int = 0, dropout: float = 0.0, tied: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, VOCABULARY, bias=not tied)
        self.register_buffer("scale", torch.ones(()))
        if tied:
            self.out.weight = self.embed.weight
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        self.double()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm(self.dropout(self.embed(tokens)))) * self.scale


def rows(n: int = 10) -> list[list[int]]:
    """Rows of 2 to 9 letters."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(0, VOCABULARY, (2 + index * 3 % 8,), generator=generator).tolist() for index in range(n)]


def pack(chosen: list[list[int]], names: list[str]) -> Batch:
    lengths = [len(row) for row in chosen]
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    learn = torch.ones(sum(lengths), dtype=torch.bool)
    learn[starts] = False
    tokens = torch.tensor([letter for row in chosen for letter in row])
    positions = torch.cat([torch.arange(length) for length in lengths])
    return Batch(tokens, positions, tuple(lengths), learn, int(learn.sum()), tuple(names))


class Letters:
    """Updates of `per_update` rows in micro-batches of `micro`; the last update of an epoch is a smaller one."""

    def __init__(self, n: int = 10, *, per_update: int = 4, micro: int = 2, updates: int = 7, seed: int = 0) -> None:
        self.rows, self.per_update, self.micro, self.updates, self.seed = rows(n), per_update, micro, updates, seed
        self.done = 0

    def __len__(self) -> int:
        return self.updates

    def __iter__(self):
        return self

    def chosen(self, update: int) -> list[int]:
        per_epoch = -(-len(self.rows) // self.per_update)
        epoch, place = divmod(update, per_epoch)
        order = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(self.seed * 1000 + epoch))
        return order[place * self.per_update : (place + 1) * self.per_update].tolist()

    def __next__(self) -> list[Batch]:
        if self.done >= self.updates:
            raise StopIteration
        indices = self.chosen(self.done)
        self.done += 1
        parts = [indices[start : start + self.micro] for start in range(0, len(indices), self.micro)]
        return [pack([self.rows[i] for i in part], [f"toy.txt:{i + 1}" for i in part]) for part in parts]

    def state(self) -> dict:
        return {"done": self.done, "mark": torch.tensor([self.done, -1])}

    def restore(self, state: dict) -> None:
        assert state["mark"].tolist() == [state["done"], -1]
        self.done = state["done"]


class Dial:
    """Something else with a state, which moves at every update."""

    def __init__(self) -> None:
        self.value = 0.1

    def state(self) -> dict:
        return {"value": self.value}

    def restore(self, state: dict) -> None:
        self.value = state["value"]


def stepper(model: nn.Module, dial: Dial | None = None):
    def step(batch: Batch) -> Loss:
        places = batch.learn.nonzero()[:, 0]
        log_probs = model(batch.tokens[places - 1]).log_softmax(-1)
        nats = -log_probs.gather(1, batch.tokens[places, None])[:, 0]
        stats = {"nats": Mean(float(nats.detach().sum()), len(places))}
        if dial is not None:
            stats["dial"] = Mean(dial.value, 1)
        return Loss(nats.sum(), stats)

    return step


def train(folder: Path, *, seed: int = 0, dropout: float = 0.2, crash=None, updates: int = 7, **options):
    """A whole run in `folder`; `crash(step)` may raise. Returns (model, optimiser, result)."""
    torch.manual_seed(seed)
    model, dial = Toy(seed=seed, dropout=dropout).train(), Dial()
    adamw = optim.optimiser({"toy": model}, learning_rate=0.05, weight_decay=0.1)

    def evaluate(step: int) -> dict[str, float]:
        return {"weight": float(model.out.weight.detach().abs().sum()), "draw": float(torch.rand(()))}

    def turn(step: int, figures: dict[str, float]) -> str | None:
        dial.value *= 1 + figures["nats"] / 100
        return crash(step) if crash else None

    settings = {
        "save_steps": 1,
        "logging_steps": 2,
        "eval_steps": 3,
        "evaluate": evaluate,
        "max_grad_norm": 0.5,
    } | options
    with Run(folder, {"seed": seed}, say=lambda text: None) as run:
        result = fit(
            stepper(model, dial),
            Letters(updates=updates, seed=seed),
            run,
            modules={"toy": model},
            optimiser=adamw,
            schedule=lambda taken: optim.schedule("cosine", taken, steps=updates, warmup=2),
            extra={"dial": dial},
            on_update=turn,
            **settings,
        )
    return model, adamw, result


if __name__ == "__main__":  # python toy.py FOLDER: a run that a test can send signals to; one line per update
    import time

    from baro.core.signals import Stopped

    torch.set_num_threads(1)

    def slowly(step: int) -> None:
        print(step, flush=True)
        time.sleep(float(sys.argv[2]))

    try:
        train(Path(sys.argv[1]), crash=slowly, updates=int(sys.argv[3]), save_steps=0)
    except Stopped as stopped:
        sys.exit(stopped.code)
