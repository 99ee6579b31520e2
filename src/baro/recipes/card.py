"""The model card saved beside every model, in the hub's form: data, recipe, metrics, limits."""

from __future__ import annotations

from pathlib import Path

import yaml

import baro
from baro.models.adapters import base_of

PURPOSE = {
    "pretrain": "Continues text. It has not been taught to follow instructions.",
    "sft": "Answers instructions of the kind it was fine-tuned on.",
    "reward": "Scores an answer to a prompt: one number, higher is better. Compare scores within one prompt only.",
    "rejection": "Answers instructions; fine-tuned on its own best-scored samples.",
    "dpo": "Answers instructions; trained on pairs of preferred and rejected answers.",
    "ppo": "Answers instructions; trained by reinforcement learning against a reward, near its SFT model.",
    "kto": "Answers instructions; trained on single answers labelled good or bad.",
    "online_dpo": "Answers instructions; trained on pairs of its own answers, chosen by a reward.",
    **dict.fromkeys(
        ("group", "rloo", "grpo"),
        "Answers instructions; trained by reinforcement learning, each answer against others to the same prompt.",
    ),
}
LIMITS = (
    "The figures above hold for the data named here. A model inherits the faults of its data and, after preference "
    "training, of its reward; look at its answers before relying on it."
)


def card(method: str, config, result: dict) -> str:
    """The text of README.md for a model made by `method` with `config` and the figures of `result`."""
    settings = config.model_dump(mode="json", exclude_defaults=True)
    data = [str(file) for key in ("dataset", "eval_dataset", "ptx_dataset") for file in settings.get(key) or []]
    parent = settings.get("model_name_or_path")
    parent = base_of(parent) if config.use_peft else parent
    head = {
        "library_name": "peft" if config.use_peft else "transformers",
        "pipeline_tag": "text-classification" if method == "reward" else "text-generation",
        "tags": ["baro", method],
        **({"base_model": str(parent)} if parent else {}),
    }
    figures = [
        f"| {name} | {value:.4g} |" for name, value in result["metrics"].items() if isinstance(value, int | float)
    ]
    recipe = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).rstrip()
    minutes, gigabytes = result["seconds"] / 60, result["peak_bytes"] / 2**30
    return "\n".join(
        [
            "---",
            yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
            "---",
            f"# {Path(settings.get('output_dir', method)).name}",
            "",
            PURPOSE.get(method, ""),
            "",
            "## Data",
            *([f"- `{file}`" for file in data] or ["- none named"]),
            "",
            "## Recipe",
            f"Made with baro {baro.__version__}, method `{method}`, in {minutes:.1f} minutes, "
            f"{result['tokens']:,} tokens learnt, peak memory {gigabytes:.2f} GiB.",
            "```yaml",
            recipe,
            "```",
            "",
            "## Metrics",
            *(["| figure | value |", "|---|---|", *figures] if figures else ["No held-out data was given."]),
            "",
            "## Limits",
            LIMITS,
            "",
        ]
    )
