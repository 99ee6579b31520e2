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


@playground.command("noisy")
def export_noise(
    folder: Path,
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 0,
    noise: Annotated[float, typer.Option(help="Share of the instructions with a planted fault.")] = 0.3,
    text_noise: Annotated[float, typer.Option(help="Share of the documents that are noise.")] = 0.5,
) -> None:
    """Write instructions and text with planted faults, and a few hundred labelled rows, to choose and filter from."""
    from baro.playground.noise import export_noisy

    for name, count in export_noisy(folder, lang=lang, seed=seed, noise=noise, text_noise=text_noise).items():
        typer.echo(f"{name}: {count:,}")


@playground.command("code")
def export_code(
    folder: Path,
    data: Annotated[Path | None, typer.Option(help="Folder with mbpp/ and humaneval/; none: made-up programs.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of programs and harms.")] = 0,
    pairs: Annotated[int, typer.Option(help="Pairs to train on.")] = 6000,
) -> None:
    """Write pairs of code that reads well and the same code made hard to read."""
    from baro.playground.code import export

    for name, count in export(folder, data=data, seed=seed, pairs=pairs).items():
        typer.echo(f"{name}: {count:,}")
