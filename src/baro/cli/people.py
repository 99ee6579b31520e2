"""baro annotate …: preference data by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup

from baro.cli.app import app, tune


class _Annotate(TyperGroup):
    """Words that name no command are those of `start`: baro annotate FILE."""

    def parse_args(self, ctx, args):
        """`start` where the first word is no command."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["start", *args]
        return super().parse_args(ctx, args)


annotate = typer.Typer(
    cls=_Annotate,
    help="Preference data by hand: baro annotate FILE opens a page; export and import move choices.",
)
app.add_typer(annotate, name="annotate")

Db = Annotated[str, typer.Option(help="SQLite file, made when missing, or postgresql://USER@HOST/NAME.")]


@annotate.command("start")
def start_annotating(
    files: Annotated[list[Path] | None, typer.Argument(help="Pairs, or answers of several models.")] = None,
    db: Db = "choices.db",
    model: Annotated[
        list[str] | None, typer.Option(help="Sample answers from it while you work; once or twice.")
    ] = None,
    prompts: Annotated[list[Path] | None, typer.Option(help="Prompts for --model.")] = None,
    annotators: Annotated[str, typer.Option(help="Names, with commas between; each gets a link.")] = "",
    order: Annotated[Literal["random", "active"], typer.Option(help="active: the least sure pairs first.")] = "random",
    reward_model: Annotated[list[str] | None, typer.Option(help="For active; several are an ensemble.")] = None,
    overlap: Annotated[float, typer.Option(help="Share of pairs for up to three people.")] = 0.2,
    repeat: Annotated[float, typer.Option(help="Share shown again to the same person, sides swapped.")] = 0.1,
    tags: Annotated[str | None, typer.Option(help="Reasons to offer, with commas between.")] = None,
    guideline: Annotated[Path | None, typer.Option(help="Markdown file: how to judge.")] = None,
    temperature: Annotated[float, typer.Option(help="Of --model; 0 is greedy.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer of --model, tokens.")] = 256,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    lang: Annotated[Literal["en", "ko"] | None, typer.Option(help="Language; default: the browser's.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    allow_host: Annotated[list[str] | None, typer.Option(help="Name by which other machines call this one.")] = None,
) -> None:
    """Compare answers in a browser, side by side and blind."""
    from baro.web.annotate import launch

    def names(text: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in text.split(",") if word.strip())

    if model or reward_model:
        tune()
    options = launch.Options(
        files=tuple(files or ()),
        model=tuple(model or ()),
        prompts=tuple(prompts or ()),
        db=db,
        annotators=names(annotators),
        order=order,
        reward_model=tuple(reward_model or ()),
        overlap=overlap,
        repeat=repeat,
        tags=launch.TAGS if tags is None else names(tags),
        guideline=guideline,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        seed=seed,
        lang=lang,
        host=host,
        port=port,
        allow_host=tuple(allow_host or ()),
    )
    launch.annotate(options, typer.echo)


@annotate.command("export")
def export_choices(
    out: Annotated[Path, typer.Option(help="JSON lines: prompt, chosen, rejected, annotator, agreement, …")],
    db: Db = "choices.db",
    ties: Annotated[Literal["drop", "keep"], typer.Option(help="keep: a tie is a row in each order.")] = "drop",
    per: Annotated[Literal["choice", "pair"], typer.Option(help="pair: the majority, with its margin.")] = "choice",
) -> None:
    """Write the choices in the field's columns."""
    from baro.data.choices.export import rows
    from baro.data.read import write_jsonl

    store = _existing(db)
    found = list(rows(store, ties=ties, per=per))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(out, found)
    typer.echo(f"{len(found):,} rows → {out}")


@annotate.command("import")
def import_choices(files: list[Path], db: Db = "choices.db") -> None:
    """Take choices over from files of preferences with a column annotator, such as export writes."""
    from baro.data.choices.export import read_in
    from baro.data.choices.store import Store

    kept, already = read_in(Store(db), files)
    typer.echo(f"{kept:,} choices taken over, {already:,} were there already → {db}")


def _existing(db: str):
    """The store at `db`, which an export does not make."""
    from baro.core.errors import DataError
    from baro.data.choices.store import Store

    if "://" not in db and not Path(db).is_file():
        raise DataError("no such file.", where=db, hint="Name the store with --db.")
    return Store(db)
