"""baro data curate, ablate and prepare: choose instruction rows, test the choice, make text fit for pre-training."""

from __future__ import annotations

from typing import Annotated

import typer

from baro.cli.app import FREE, tune
from baro.cli.data import data
from baro.cli.words import listed, with_files

Listing = Annotated[bool, typer.Option("--settings", help="List every setting with its default, and stop.")]


@data.command("curate", context_settings=FREE)
def curate_data(
    context: typer.Context,
    settings: Listing = False,
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
    settings: Listing = False,
) -> None:
    """Was a selection good? FOLDER model_name_or_path=… out=… prompts=… judge=…: trains on it and on the controls."""
    from baro.engine import config as reader
    from baro.pipeline.curation.ablate import Ablate, ablate

    if settings:
        listed(reader.describe(Ablate))
        return
    tune()
    ablate(reader.load(Ablate, None, with_files(context.args, "folder")))


@data.command("prepare", context_settings=FREE)
def prepare_data(context: typer.Context, settings: Listing = False) -> None:
    """Raw text to clean shards for pre-training: DIR|FILE… --out DIR, languages=en,ko labels=… evaluation=…"""
    from baro.engine import config as reader
    from baro.pipeline.corpus import Prepare, prepare

    if settings:
        listed(reader.describe(Prepare))
        return
    prepare(reader.load(Prepare, None, with_files(context.args)))
