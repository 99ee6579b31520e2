"""baro eval …: what a model is worth. `baro eval model=…` gives its metrics; other words name a closer look."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

from baro.cli.app import FREE, app
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
