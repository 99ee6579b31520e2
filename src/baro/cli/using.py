"""Commands that use a trained model: answers, scores, a talk, an adapter folded in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import FREE, app, tune


@app.command(context_settings=FREE)
def sample(context: typer.Context) -> None:
    """Answers of a model to a file of prompts: model=… dataset=… out=answers.jsonl."""
    inference("Sample", "sample", context.args)


@app.command(context_settings=FREE)
def score(context: typer.Context) -> None:
    """Scores of a reward model or function for a file of answers: model=… dataset=… out=scores.jsonl."""
    inference("Score", "score", context.args)


def inference(kind: str, function: str, words: list[str]) -> None:
    """Read the settings `kind` of `pipeline.inference` from words and call `function` with them."""
    from baro.engine import config as reader
    from baro.pipeline import inference

    checked = reader.load(getattr(inference, kind), None, words)
    tune()
    getattr(inference, function)(checked)


@app.command()
def merge(adapter: str, out: str) -> None:
    """Fold an adapter into its base: a whole model in OUT, which needs neither."""
    from baro.models.load import merge as fold

    tune()
    fold(adapter, out)
    typer.echo(f"saved in {out}")


@app.command()
def chat(
    model: str,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, tokens.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
) -> None:
    """Talk to a model. /system TEXT, /regenerate, /model PATH, /surprise, /new and /quit are understood."""
    from baro.pipeline.chat import talk

    tune()
    talk(model, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)


@app.command()
def explain(
    run: Path,
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
) -> None:
    """What happened in a run, in words, and what to change."""
    from baro.core.errors import ConfigError
    from baro.pipeline.explain import show

    if lang not in ("en", "ko"):
        raise ConfigError(f"lang is {lang!r}; expected en or ko.")
    show(run, lang=lang)
