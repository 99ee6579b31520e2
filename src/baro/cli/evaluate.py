"""baro eval …: what a model is worth. `baro eval model=…` gives its metrics; other words name a closer look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from baro.cli.app import FREE, app, tune
from baro.cli.using import inference


class Words(TyperGroup):
    """A group whose key=value words go to its command `metrics`."""

    def resolve_command(self, ctx, args):
        """The command that the first word names; `metrics` where it names none but sets something."""
        if args and args[0] not in self.commands and ("=" in args[0] or args[0].startswith("-")):
            args = ["metrics", *args]
        return super().resolve_command(ctx, args)


evaluation = typer.Typer(
    cls=Words,
    help="Metrics of a model: model=… text=… tasks=… prompts=… judge=… reward_model=… reference=…",
    no_args_is_help=True,
)
app.add_typer(evaluation, name="eval", context_settings=FREE)


@evaluation.command("metrics", context_settings=FREE)
def metrics(context: typer.Context) -> None:
    """The same as baro eval model=…: likelihood, tasks, judge, KL and wins."""
    inference("Evaluate", "evaluate", context.args)


@evaluation.command("reward", context_settings=FREE)
def reward(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A reward model.")],
    data: Annotated[list[Path], typer.Option(help="Held-out preferences; may be given several times.")],
    json: Annotated[Path | None, typer.Option(help="Write the card as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the card as one page.")] = None,
) -> None:
    """The health card of a reward model. Words: train=F curve=auto|yes|no max_samples=N seed=N device=… dtype=…"""
    from baro.engine import config as reader
    from baro.pipeline import health

    given: dict[str, Any] = {"model": model, "data": [str(file) for file in data], "json_out": json, "html_out": html}
    checked = reader.load(health.Health, None, context.args, **given)
    tune()
    health.run(checked)


@evaluation.command("shift", context_settings=FREE)
def shift(
    context: typer.Context,
    base: Annotated[str, typer.Argument(help="The model before alignment.")],
    aligned: Annotated[str, typer.Argument(help="The model after it.")],
) -> None:
    """What alignment changed, token by token: BASE ALIGNED --prompts FILE."""
    from baro.engine import config as reader
    from baro.pipeline.shift import ShiftSettings
    from baro.pipeline.shift import shift as measure

    checked = reader.load(ShiftSettings, None, context.args, base=base, aligned=aligned)
    tune()
    measure(checked)
