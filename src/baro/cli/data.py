"""baro data …: look at data, check it, convert it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import group

data = group("data", "Look at data, check it, convert it.")


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


@data.command("check")
def check_data(
    files: Annotated[list[str], typer.Argument(help="Files, folders, globs or names on the hub.")],
    model: Annotated[str | None, typer.Option(help="Model whose tokenizer and template render the rows.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every finding here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with the token-level view here.")] = None,
    eval: Annotated[list[Path] | None, typer.Option(help="Evaluation file that must not be in the data.")] = None,
    max_length: Annotated[int, typer.Option(help="Tokens kept of a row.")] = 1024,
    format: Annotated[str | None, typer.Option(help="Read the rows as this format.")] = None,
    columns: Annotated[list[str] | None, typer.Option(help="ours=theirs, for example instruction=Q.")] = None,
    max_rows: Annotated[int | None, typer.Option(help="Look at the first rows only.")] = None,
) -> None:
    """Look for everything that is wrong with data. Leaves with 1 if there is an error, with 0 if there are warnings."""
    from baro.core.process import cores
    from baro.data.doctor import page, tell
    from baro.data.doctor.examine import examine
    from baro.data.doctor.registry import Setting
    from baro.data.find import find

    tokenizer = None
    if model is not None:
        from baro.models.load import load_tokenizer

        tokenizer = load_tokenizer(model)
    held_out = tuple(find(eval, text=True)) if eval else ()
    named = _names(columns)
    setting = Setting(None, tokenizer, max_length, held_out, tokenised=100_000, sampled=100, columns=named)
    report = examine(files, setting, columns=named, format=format, max_rows=max_rows, processes=cores())
    if json is not None:
        tell.write_json(report, json)
    if html is not None:
        page.write_page(report, html, tokenizer, max_length)
    tell.show(report)
    if report.errors:
        raise typer.Exit(1)


@data.command("convert")
def convert_data(
    source: Annotated[list[str], typer.Argument(help="What to read, and last the file to write.")],
    format: Annotated[str | None, typer.Option(help="Write the rows as this format.")] = None,
    read_as: Annotated[str | None, typer.Option(help="Read the rows as this format.")] = None,
    columns: Annotated[list[str] | None, typer.Option(help="ours=theirs, for example instruction=Q.")] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Mend UTF-8 that was read as cp1252.")] = False,
) -> None:
    """Write data as another format or kind of file: baro data convert IN… OUT --format messages."""
    from baro.core.errors import ConfigError
    from baro.data.convert import convert

    if len(source) < 2:
        raise ConfigError("found one file; expected what to read and, last, what to write.", where="baro data convert")
    typer.echo(convert(source[:-1], Path(source[-1]), format, columns=_names(columns), read_as=read_as, mend=mend))


def _names(columns: list[str] | None) -> dict[str, str] | None:
    """ours=theirs words as a mapping."""
    from baro.core.errors import ConfigError

    wrong = [word for word in columns or () if "=" not in word]
    if wrong:
        raise ConfigError(f"found {wrong[0]!r}; expected ours=theirs, for example instruction=Q.", where="--columns")
    return dict(word.split("=", 1) for word in columns) if columns else None
