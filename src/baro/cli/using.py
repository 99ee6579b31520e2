"""Commands that use a trained model: answers, scores, metrics, a talk."""

from __future__ import annotations

from typing import Annotated

import typer

from baro.cli.app import FREE, app, tune


@app.command(context_settings=FREE)
def sample(context: typer.Context) -> None:
    """Answers of a model to a file of prompts: model=… dataset=… out=answers.jsonl."""
    _inference("Sample", "sample", context.args)


@app.command(context_settings=FREE)
def score(context: typer.Context) -> None:
    """Scores of a reward model or function for a file of answers: model=… dataset=… out=scores.jsonl."""
    _inference("Score", "score", context.args)


@app.command("eval", context_settings=FREE)
def evaluate(context: typer.Context) -> None:
    """Metrics of a model: model=… text=… tasks=… prompts=… judge=… reward_model=… reference=…"""
    _inference("Evaluate", "evaluate", context.args)


def _inference(kind: str, function: str, words: list[str]) -> None:
    from baro.engine import config as reader
    from baro.pipeline import inference

    checked = reader.load(getattr(inference, kind), None, words)
    tune()
    getattr(inference, function)(checked)


@app.command()
def chat(
    model: str,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer, tokens.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
) -> None:
    """Talk to a model. /system TEXT, /regenerate, /model PATH, /surprise, /new and /quit are understood."""
    from baro.pipeline.chat import talk

    tune()
    talk(model, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
