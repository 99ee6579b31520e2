"""baro data …: look at data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import group

data = group("data", "Look at data.")


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
