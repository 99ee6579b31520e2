"""Supervised fine-tuning on instruction data: the form of questions and answers.

    L = -Σ_{t in answers} log π(x_t | x_<t)     the end token of every answer included

The same step as pre-training, fed by conversations in which only the assistant's tokens are learnt.
"""

from __future__ import annotations

from baro.data.read import read_dialogues, read_tasks
from baro.data.templates import Learn, adopt_template, render_all
from baro.engine.config import ExistingPath
from baro.evals.likelihood import mean_nats
from baro.evals.tasks import score_tasks
from baro.models.load import language_model, load_tokenizer
from baro.recipes import stage
from baro.recipes.pretrain import step
from baro.recipes.settings import DataPath, Method, ModelPath


class Config(Method):
    """Settings of `baro sft`; defaults are TRL's (1.16) unless said otherwise."""

    model_name_or_path: ModelPath
    """The pre-trained model."""
    dataset: list[DataPath]
    """Instruction data: alpaca, prompt/completion, messages or ShareGPT."""
    eval_dataset: list[ExistingPath] = []
    """Held-out instruction data: loss, and exact match of the greedy answers."""
    eval_samples: int = 512
    """Rows of eval_dataset that are answered for exact match; the first ones."""
    completion_only_loss: bool = True
    """False: the prompts are learnt too (LLaMA-Factory's train_on_prompt)."""
    max_length: int = 1024
    max_completion_length: int = 64
    """Tokens of a greedy answer in the evaluation."""
    learning_rate: float = 2e-5
    num_train_epochs: float = 3.0


def exact(model, tokenizer, config: Config) -> dict[str, float]:
    """Exact match and format of greedy answers to the held-out rows; apart, where a row says so, of unseen facts.

    A row with "seen": false asks what no instruction row tells: only pre-training can have taught the answer.
    """
    if not config.eval_dataset:
        return {}
    prompts = stage.held_out(read_tasks, config, max_samples=config.eval_samples)
    found = score_tasks(model.eval(), tokenizer, prompts, max_new_tokens=config.max_completion_length)
    unseen = [right for right, row in zip(found.correct, prompts, strict=True) if row.columns.get("seen") is False]
    apart = {"exact_match_unseen": sum(unseen) / len(unseen)} if unseen else {}
    return {"exact_match": found.exact_match, "format": found.format} | apart


def main(config: Config, display=None) -> dict:
    """Train the model; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        learn: Learn = "assistant" if config.completion_only_loss else "all"

        def sequences(rows: list) -> list:
            return render_all(tokenizer, rows, learn=learn, max_length=config.max_length)

        dialogues = stage.stream("conversations", config, run, tokenizer)
        if not all(row.plain for row in dialogues):
            adopt_template(tokenizer)  # a tokenizer without a chat template is saved with the one that is learnt here
        rows = stage.stored(config, dialogues, sequences)
        held_out = sequences(read_dialogues(config.eval_dataset).rows) if config.eval_dataset else []
        stage.check(rows, config)
        model = language_model(config.model_name_or_path, **config.trained)

        def evaluate(_: int) -> dict[str, float]:
            figures = {"nats_per_token": mean_nats(model.eval(), held_out[:1000])} if held_out else {}
            model.train()
            return figures

        before = exact(model, tokenizer, config)
        stage.train(
            config,
            run,
            lambda batch: step(model, batch),
            stage.updates(config, rows, stage.packed(config)),
            {"model": model.train()},
            evaluate=evaluate,
        )
        figures = evaluate(0) | exact(model, tokenizer, config) | {f"{key}_before": v for key, v in before.items()}
        return stage.finish(config, run, "sft", model, tokenizer, figures, tokens=stage.counted(run))
