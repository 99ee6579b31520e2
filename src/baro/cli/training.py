"""Commands that train: a whole recipe, or one method."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from baro.cli.app import FREE, app, tune
from baro.cli.words import listed

METHODS = {
    "pretrain": "Pre-train on text, from scratch or continuing a model.",
    "sft": "Fine-tune on instruction data.",
    "reward": "Train a reward model on preferences.",
    "rejection": "Sample several answers, keep the best, fine-tune on them.",
    "ppo": "Reinforcement learning against a reward, near the SFT model.",
    "dpo": "Learn from preferences directly (DPO, IPO, SimPO, ORPO, …).",
    "kto": "Learn from single answers labelled good or bad.",
    "online_dpo": "Sample answers, let the reward choose, learn from the pair (DPO on fresh answers).",
    "group": "Reinforcement learning without a value model: answers against their group (RLOO, GRPO, DAPO, …).",
    "rloo": "The group method with REINFORCE leave-one-out's settings.",
    "grpo": "The group method with GRPO's settings as published.",
}


@app.command(context_settings=FREE)
def run(context: typer.Context, recipe: Path) -> None:
    """Run a recipe: data in, aligned models and report out.

    key=value sets a variable of the recipe, stage.key=value a stage's setting, run=DIR where the run is written,
    num_processes=N how many processes share the work (auto: one a core).
    """
    from baro.pipeline.runner import run as run_recipe

    tune()
    run_recipe(recipe, context.args, again=[sys.executable, "-m", "baro", "run", str(recipe), *context.args])


@app.command(context_settings=FREE)
def compare(
    context: typer.Context,
    recipe: Path,
    methods: Annotated[str, typer.Option(help="Methods or stages of the recipe, with commas between.")],
    seeds: Annotated[int, typer.Option(help="Runs of every method, each with another seed.")] = 3,
    budget: Annotated[str, typer.Option(help="Training time of every method in all: 90s, 10m, 1h.")] = "10m",
    trials: Annotated[int, typer.Option(help="Settings that every method may try.")] = 5,
) -> None:
    """Compare methods from one SFT model, with the same data, time and tuning: --methods sft,rejection,dpo,ppo

    What the recipe's run has already is used. key=value words as in baro run; the result is in the run's compare/.
    """
    from baro.pipeline.comparison import plan
    from baro.pipeline.comparison.run import Options
    from baro.pipeline.comparison.run import compare as compare_methods

    tune()
    named = tuple(word.strip() for word in methods.split(",") if word.strip())
    options = Options(named, seeds=seeds, budget=plan.seconds(budget), trials=trials)
    compare_methods(recipe, options, context.args, again=[sys.executable, "-m", "baro", *sys.argv[1:]])


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
            listed(reader.describe(module.Config))
            return
        checked = reader.load(module.Config, config, context.args)
        tune(checked.threads)
        from baro.engine import dist
        from baro.pipeline.display import Display
        from baro.pipeline.journal import Journal

        dist.start()
        journal = Journal(checked.output_dir, [(name, name, ())])
        with Display({name: 60.0}, quiet=not dist.main_rank(), journal=journal) as display:
            display.begin(name)
            result = module.main(checked, display)
            figures = ", ".join(f"{k} {v:.4g}" for k, v in result["metrics"].items() if isinstance(v, int | float))
            display.end(name, figures)
            display.say(f"saved in {checked.output_dir}")

    command.__doc__ = help_text
    app.command(name, context_settings=FREE)(command)


for _name, _help in METHODS.items():
    _method(_name, _help)
