"""The loop: one division, one clip, one log; nothing changes when a figure is not finite."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn
from toy import Letters, Toy, pack, rows, stepper, train

from baro.core.errors import NonFiniteError
from baro.core.types import Batch, Loss, Mean
from baro.engine import optim
from baro.engine.fit import fit
from baro.engine.run import Run


class Listed:
    """Updates from a list."""

    def __init__(self, updates: list[list[Batch]]) -> None:
        self.updates, self.done = updates, 0

    def __len__(self) -> int:
        return len(self.updates)

    def __iter__(self):
        return self

    def __next__(self) -> list[Batch]:
        self.done += 1
        return self.updates[self.done - 1]

    def state(self) -> int:
        return self.done

    def restore(self, state: int) -> None:
        self.done = state


class Weights(nn.Module):
    """Free numbers, so that gradients can be written down."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(values, dtype=torch.float64))


def bare(count: int, number: int = 0) -> Batch:
    """A micro-batch of which only count and origin matter."""
    tokens = torch.full((count,), number)
    return Batch(tokens, torch.arange(count), (count,), tokens >= 0, count, (f"f.jsonl:{number}",))


def descent(module: nn.Module, rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": list(module.parameters()), "lr": rate, "peak_lr": rate}])


def run_fit(tmp_path, module, updates, step, **options):
    options = {"optimiser": descent(module), "schedule": lambda taken: 1.0, "max_grad_norm": 0.0} | options
    with Run(tmp_path / "run", say=options.pop("say", lambda text: None)) as run:
        return fit(step, Listed(updates), run, modules={"m": module}, **options)


def metrics(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.invariant("I4")
@pytest.mark.incident("T1", "T2", "T3", "T5", "T6", "T8")
@pytest.mark.parametrize("order", [(10, 90), (90, 10)])
def test_ten_tokens_at_1_and_ninety_at_3_cost_2_80(tmp_path, order):
    module = Weights(1.0)
    each = {10: 1.0, 90: 3.0}

    def step(batch):
        return Loss(module.w[0] * each[batch.count] * batch.count, {"x": Mean(each[batch.count] * batch.count, 100)})

    run_fit(tmp_path, module, [[bare(count) for count in order]], step)
    (line,) = metrics(tmp_path)
    assert line["loss"] == pytest.approx(2.80, abs=1e-12)
    assert line["grad_norm"] == pytest.approx(2.80, abs=1e-12)
    assert line["x"] == pytest.approx(1.40, abs=1e-12)  # (10 + 270) / 200
    assert module.w.item() == pytest.approx(1.0 - 2.80, abs=1e-12)


@pytest.mark.invariant("I4")
@pytest.mark.incident("T1", "T2", "T4", "T7")
@pytest.mark.parametrize("micro", [1, 2, 3, 5, 8])
def test_every_split_of_an_update_is_the_same_update(tmp_path, micro):
    """Eight rows an update, ten rows an epoch: the second update of an epoch is a partial window of two."""
    model, reference = Toy(), Toy()
    adamw = optim.optimiser({"m": model}, learning_rate=0.05)
    theirs = torch.optim.AdamW(reference.parameters(), lr=0.05, weight_decay=0.0)
    stream = Letters(per_update=8, micro=micro, updates=4)
    with Run(tmp_path) as run:
        fit(
            stepper(model), stream, run, modules={"m": model}, optimiser=adamw, schedule=lambda taken: 1.0,
            max_grad_norm=0.3,
        )  # fmt: skip
    losses = []
    for update in range(4):  # the same with torch alone: all rows in one mean
        chosen = [rows()[index] for index in stream.chosen(update)]
        assert len(chosen) == (8, 2)[update % 2]
        logits = torch.cat([reference(torch.tensor(row[:-1])) for row in chosen])
        loss = nn.functional.cross_entropy(logits, torch.tensor([letter for row in chosen for letter in row[1:]]))
        theirs.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(p.grad.square().sum().item() for p in reference.parameters()))
        assert norm > 0.3  # so that clipping is part of what is compared
        for parameter in reference.parameters():
            parameter.grad *= 0.3 / norm
        theirs.step()
        losses.append(loss.item())
    logged = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert logged == pytest.approx(losses, rel=1e-12)
    for mine, other in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


@pytest.mark.incident("T9")
@pytest.mark.parametrize(("limit", "expected"), [(1.0, (-0.6, -0.8)), (10.0, (-3.0, -4.0)), (0.0, (-3.0, -4.0))])
def test_clipping_is_by_the_norm_of_the_whole_update(tmp_path, limit, expected):
    """Two micro-batches with gradients (3, 0) and (0, 4): the norm is 5, not the sum or the largest of two."""
    module = Weights(0.0, 0.0)

    def step(batch):
        return Loss(module.w[0] * 6 if batch.tokens[0] == 0 else module.w[1] * 8)

    run_fit(tmp_path, module, [[bare(1, 0), bare(1, 1)]], step, max_grad_norm=limit)
    assert metrics(tmp_path)[0]["grad_norm"] == pytest.approx(5.0)
    assert module.w.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_micro_batch_that_counts_nothing_weighs_nothing_but_is_stepped(tmp_path):
    """An auxiliary loss may ride on an update without changing what it is divided by."""
    module = Weights(0.0, 0.0)

    def step(batch):
        return Loss(module.w[0] * 4.0 if batch.count else module.w[1] * 2.0)

    run_fit(tmp_path, module, [[bare(4), bare(0)]], step)
    assert module.w.tolist() == [-1.0, -0.5]


def test_a_micro_batch_without_gradient_is_accepted(tmp_path):
    module = Weights(0.0)
    run_fit(tmp_path, module, [[bare(4), bare(0)]], lambda b: Loss(module.w[0] * 4.0 if b.count else torch.zeros(())))
    assert module.w.tolist() == [-1.0]


def test_an_empty_update_moves_the_counter_only(tmp_path):
    module = Weights(0.0)
    places = []

    def schedule(taken):
        places.append(taken)
        return 1.0

    updates = [[bare(1)], [], [bare(0)], [bare(1)]]
    result = run_fit(tmp_path, module, updates, lambda b: Loss(module.w[0] * 1.0), schedule=schedule)
    assert (result.step, result.taken, result.skipped) == (4, 2, 0)
    assert places == [0, 1]
    assert module.w.tolist() == [-2.0]
    assert [line["step"] for line in metrics(tmp_path)] == [1, 2, 3, 4]
    assert "loss" not in metrics(tmp_path)[1]


def test_a_line_is_the_mean_over_its_window(tmp_path):
    """Tokens weigh, not updates."""
    module = Weights(1.0)
    updates = [[bare(1)], [bare(3)], [bare(2)]]
    rates = {1: 2.0, 3: 6.0, 2: 5.0}

    def step(batch):
        return Loss(module.w[0] * 0 + rates[batch.count] * batch.count)

    run_fit(tmp_path, module, updates, step, logging_steps=2)
    first, last = metrics(tmp_path)
    assert (first["step"], first["loss"], first["count"]) == (2, (2.0 * 1 + 6.0 * 3) / 4, 4)
    assert (last["step"], last["loss"], last["count"]) == (3, 5.0, 6)


@pytest.mark.invariant("I67")
@pytest.mark.parametrize("what", ["nan loss", "infinite loss", "nan gradient"])
def test_what_is_not_finite_changes_nothing_and_is_named(tmp_path, what):
    module, said = nn.Linear(2, 1), []
    adamw = optim.optimiser({"m": module}, learning_rate=0.1, weight_decay=0.1)
    before, after = [], []

    def step(batch):
        total = module(torch.ones(2)).sum()
        if batch.tokens[0] == 3:
            if what == "nan gradient":  # d sqrt(x) at 0 is infinite, times 0 is NaN; the loss itself is finite
                return Loss(total + (total * 0).sqrt().sum())
            return Loss(total * float(what.split()[0][:3]))
        return Loss(total)

    def everything():
        moments = [value.clone() for state in adamw.state.values() for value in state.values()]
        return [p.detach().clone() for p in module.parameters()] + moments

    def schedule(taken):
        before.append(everything())
        return 1.0 - 0.1 * taken

    updates = [[bare(1, 1)], [bare(1, 2), bare(1, 3)], [bare(1, 4)]]
    with Run(tmp_path / "run", say=said.append) as run:
        result = fit(
            step, Listed(updates), run, modules={"m": module}, optimiser=adamw, schedule=schedule,
            on_update=lambda step, figures: after.append(everything()),
        )  # fmt: skip
    assert (result.step, result.taken, result.skipped) == (3, 2, 1)
    lines = metrics(tmp_path)
    skipped = next(line for line in lines if "skipped" in line)
    assert skipped["step"] == 2
    assert skipped["rows"] == (["f.jsonl:2", "f.jsonl:3"] if what == "nan gradient" else ["f.jsonl:3"])
    assert "f.jsonl:3" in said[0]
    assert lines[-1]["learning_rate"] == pytest.approx(0.09)  # the schedule's second place, not its third
    assert len(before[1]) == len(after[0]) == 2 + 2 * 3  # step, two moments of each parameter
    assert all(torch.equal(a, b) for a, b in zip(after[0], before[1], strict=True))


@pytest.mark.invariant("I67")
def test_ten_in_a_row_end_the_run_and_name_rows_and_remedy(tmp_path):
    module = Weights(1.0)
    updates = [[bare(1, 0)], *([bare(1, number)] for number in range(1, 20))]

    def step(batch):
        return Loss(module.w[0] * (math.nan if batch.tokens[0] else 1.0))

    with pytest.raises(NonFiniteError, match=r"f.jsonl:10: 10 updates in a row.*learning_rate"):
        run_fit(tmp_path, module, updates, step)
    assert module.w.item() == 0.0
    assert [line.get("rows") for line in metrics(tmp_path)][1::2][-1] == ["f.jsonl:10"]


def test_a_good_update_ends_the_row_of_bad_ones(tmp_path):
    module = Weights(1.0)
    updates = [[bare(1, number)] for number in range(12)]
    result = run_fit(
        tmp_path, module, updates,
        lambda b: Loss(module.w[0] * (math.nan if b.tokens[0] % 3 else 0.0)), max_bad_updates=3,
    )  # fmt: skip
    assert (result.taken, result.skipped) == (4, 8)


def test_a_watcher_ends_the_run_as_if_done(tmp_path):
    module = Weights(1.0)
    with Run(tmp_path / "run") as run:
        result = fit(
            lambda b: Loss(module.w[0] * 1.0), Listed([[bare(1)]] * 5), run, modules={"m": module},
            optimiser=descent(module), schedule=lambda taken: 1.0, save_steps=100,
            on_update=lambda step, figures: "reward is hacked" if step == 3 else None,
        )  # fmt: skip
        assert run.finished == {"step": 3, "reason": "reward is hacked"}
        assert [path.name for path in run.checkpoints.iterdir()] == ["step-00000003"]
    assert (result.step, result.reason) == (3, "reward is hacked")


def test_a_watcher_sees_the_figures_of_one_update(tmp_path):
    module, seen = Weights(1.0), []
    run_fit(
        tmp_path, module, [[bare(2)], [bare(1)]],
        lambda b: Loss(module.w[0] * 0 + 3.0 * b.count, {"x": Mean(7.0, 2)}),
        on_update=lambda step, figures: seen.append((step, figures)), logging_steps=2,
    )  # fmt: skip
    assert seen == [(k, {"loss": 3.0, "grad_norm": 0.0, "learning_rate": 1.0, "x": 3.5}) for k in (1, 2)]


def test_evaluation_comes_when_due_and_moves_no_random_number(tmp_path):
    plain, _, _ = train(tmp_path / "a", evaluate=None)
    watched, _, result = train(tmp_path / "b", eval_steps=2)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True))
    lines = [json.loads(line) for line in (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "eval/weight" in line] == [2, 4, 6, 7]
    assert result.evaluation["weight"] == lines[-1]["eval/weight"]


@pytest.mark.invariant("I69")
def test_the_same_seed_twice_writes_the_same_bytes(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.invariant("I11")
def test_a_learning_rate_of_0_changes_no_bit(tmp_path):
    model, before = Toy(), [p.detach().clone() for p in Toy().parameters()]
    adamw = optim.optimiser({"m": model}, learning_rate=0.0, weight_decay=0.1)
    with Run(tmp_path) as run:
        fit(stepper(model), Letters(), run, modules={"m": model}, optimiser=adamw, schedule=lambda taken: 1.0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))


@pytest.mark.invariant("I11")
def test_one_batch_is_learnt_by_heart(tmp_path):
    model = Toy()
    batch = pack([[0, 3, 1, 4, 2, 5]], ["row"])
    adamw = optim.optimiser({"m": model}, learning_rate=0.1)
    with Run(tmp_path) as run:
        fit(
            stepper(model), Listed([[batch]] * 60), run, modules={"m": model}, optimiser=adamw,
            schedule=lambda taken: 1.0,
        )  # fmt: skip
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["loss"] < 0.01


def test_frozen_weights_stay_and_are_not_kept(tmp_path):
    model = Toy()
    model.embed.requires_grad_(False)
    frozen = model.embed.weight.detach().clone()
    adamw = optim.optimiser({"m": model}, learning_rate=0.1, weight_decay=0.1)
    with Run(tmp_path) as run:
        fit(
            stepper(model), Letters(), run, modules={"m": model}, optimiser=adamw, schedule=lambda taken: 1.0,
            save_steps=7,
        )  # fmt: skip
        state = json.loads((run.checkpoints / "step-00000007" / "state.json").read_text())
    assert torch.equal(model.embed.weight, frozen)
    assert "m.embed.weight" not in state["weights"]
    assert "m.out.weight" in state["weights"]
