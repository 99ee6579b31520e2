"""baro playground …: the built-in world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import group

playground = group("playground", "The built-in world.")


@playground.command("export")
def export_playground(
    folder: Path,
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 0,
) -> None:
    """Write the playground's data in the field's formats."""
    from baro.playground import export

    for name, count in export(folder, lang=lang, seed=seed).items():
        typer.echo(f"{name}: {count:,}")
