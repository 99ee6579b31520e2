"""baro data …: look at data, choose from it, prepare it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import FREE, group, tune
from baro.cli.words import listed, with_files

data = group("data", "Look at data, choose from it, prepare it.")


@data.command("show")
def show_data(
    file: Path,
    model: Annotated[str, typer.Option(help="Model whose tokenizer and template render the rows.")],
    rows: Annotated[int, typer.Option(help="How many rows.")] = 3,
    max_length: Annotated[int, typer.Option(help="Tokens kept of a row.")] = 1024,
) -> None:
    """Rows as the model will see them: learnt tokens in colour, the rest dim."""
    from baro.data.show import show
    from baro.models.load import load_tokenizer

    show(file, load_tokenizer(model), rows=rows, max_length=max_length)


@data.command("curate", context_settings=FREE)
def curate_data(
    context: typer.Context,
    settings: Annotated[
        bool, typer.Option("--settings", help="List every setting with its default, and stop.")
    ] = False,
) -> None:
    """Choose the good rows of instruction data: FILE… --keep 1000 --by quality,ifd model=… out=FOLDER."""
    from baro.engine import config as reader
    from baro.pipeline.curation.choose import Curate, curate

    if settings:
        listed(reader.describe(Curate))
        return
    tune()
    curate(reader.load(Curate, None, with_files(context.args)))


@data.command("ablate", context_settings=FREE)
def ablate_data(
    context: typer.Context,
    settings: Annotated[
        bool, typer.Option("--settings", help="List every setting with its default, and stop.")
    ] = False,
) -> None:
    """Was a selection good? FOLDER model_name_or_path=… out=… prompts=… judge=…: trains on it and on the controls."""
    from baro.engine import config as reader
    from baro.pipeline.curation.ablate import Ablate, ablate

    if settings:
        listed(reader.describe(Ablate))
        return
    tune()
    ablate(reader.load(Ablate, None, with_files(context.args, "folder")))
