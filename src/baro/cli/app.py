"""The command itself, and what its parts share. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="baro",
    help="From raw text to an aligned assistant, with the evidence of which method did it best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
FREE = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command that takes key=value words."""


def group(name: str, help_text: str) -> typer.Typer:
    """A group of commands: baro NAME COMMAND."""
    part = typer.Typer(help=help_text, no_args_is_help=True)
    app.add_typer(part, name=name)
    return part


def tune(threads: int | None = None) -> None:
    """Fit the process to the machine before torch's first work; a run says how when it starts."""
    from baro.core.process import tune_process

    tune_process(threads)
