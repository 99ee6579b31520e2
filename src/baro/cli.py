"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from baro.core.errors import BaroError

app = typer.Typer(
    name="baro",
    help="From raw text to an aligned assistant, with the evidence of which method did it best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(help="Look at data.", no_args_is_help=True)
playground = typer.Typer(help="The built-in world.", no_args_is_help=True)
app.add_typer(data, name="data")
app.add_typer(playground, name="playground")

FREE = {"allow_extra_args": True, "ignore_unknown_options": True}
METHODS = {
    "pretrain": "Pre-train on text, from scratch or continuing a model.",
    "sft": "Fine-tune on instruction data.",
    "reward": "Train a reward model on preferences.",
    "rejection": "Sample several answers, keep the best, fine-tune on them.",
    "ppo": "Reinforcement learning against a reward, near the SFT model.",
    "dpo": "Learn from preferences directly (DPO, IPO, SimPO, ORPO, …).",
}


@app.command(context_settings=FREE)
def run(context: typer.Context, recipe: Path) -> None:
    """Run a recipe: data in, aligned models and report out.

    key=value sets a variable of the recipe, stage.key=value a stage's setting, run=DIR where the run is written.
    """
    from baro.pipeline.runner import run as run_recipe

    _tune()
    run_recipe(recipe, context.args)


def _method(name: str, help_text: str) -> None:
    def command(
        context: typer.Context,
        config: Annotated[
            Path | None, typer.Option(help="YAML file of settings; key=value on the command line beats it.")
        ] = None,
        settings: Annotated[
            bool, typer.Option("--settings", help="List every setting with its default, and stop.")
        ] = False,
    ) -> None:
        from baro.engine import config as reader

        module = importlib.import_module(f"baro.recipes.{name}")
        if settings:
            _list(reader.describe(module.Config))
            return
        checked = reader.load(module.Config, config, context.args)
        _tune(checked.threads)
        from baro.engine import dist
        from baro.pipeline.display import Display

        dist.start()
        with Display({name: 60.0}, quiet=not dist.main_rank()) as display:
            display.begin(name)
            result = module.main(checked, display)
            figures = ", ".join(f"{k} {v:.4g}" for k, v in result["metrics"].items() if isinstance(v, int | float))
            display.end(name, figures)
            display.say(f"saved in {checked.output_dir}")

    command.__doc__ = help_text
    app.command(name, context_settings=FREE)(command)


for _name, _help in METHODS.items():
    _method(_name, _help)


def _list(rows) -> None:
    for row in rows:
        typer.echo(f"{row[0]}: {row[1]} = {row[2]}")
        typer.echo(f"    {row[3]}")


def _tune(threads: int | None = None) -> None:
    from baro.core.process import tune_process

    tune_process(threads)


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
    _tune()
    getattr(inference, function)(checked)


@app.command()
def chat(
    model: str,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer, tokens.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
) -> None:
    """Talk to a model. /system TEXT, /new and /quit are understood."""
    from baro.pipeline.chat import talk

    _tune()
    talk(model, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)


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


def main() -> None:
    """Entry point: errors a person can act on are one message and exit code 2, never a traceback."""
    from baro.core.signals import Stopped

    try:
        app(standalone_mode=False)
    except BaroError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except Stopped as stopped:
        typer.echo(str(stopped), err=True)
        sys.exit(stopped.code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # click's own usage errors
        if usage is None:
            raise
        typer.echo(f"error: {usage()}", err=True)
        sys.exit(2)
