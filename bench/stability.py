"""How PPO bears other learning rates and other settings: many seeds on the playground, short runs.

    python -m bench.stability WORLD OUT [most]     WORLD: a finished run of recipes/quickstart.yaml

`most`: runs in all. Ten seeds times a third, one and three times the recipe's learning rate with the recipe's settings,
and four seeds of each setting changed, at three times the rate. A run diverges when the gold judge's mean over its last
rollouts is below that of the SFT model. Prints a table; goes on where it was stopped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from bench import watch_runs as runs

RATE = 3e-4
RECIPE: dict[str, Any] = {"kl_coef": 0.35, "missing_eos_penalty": 3.0, "learning_rate": RATE}
CHANGES: dict[str, dict[str, Any]] = {
    "no gradient clipping": {"max_grad_norm": 1e9},
    "rewards whitened": {"whiten_rewards": True},
    "advantages not whitened": {"whiten_advantages": False},
    "adaptive KL, target 2 nats": {"kl_target": 2.0, "kl_horizon": 500},
    "value loss not clipped": {"cliprange_value": None},
    "critic from the SFT model": {"value_model_name_or_path": None},
}
LAST = 3  # rollouts that say how a run ended


def plan(sft: str) -> list[tuple[str, int, dict[str, Any]]]:
    """(what, seed, settings) of every run, mixed so that a part of them is of use too."""
    found: list[tuple[str, int, dict[str, Any]]] = []
    for seed in range(10):
        for factor in (1, 3, 1 / 3):
            found.append((f"{factor:.2g} × learning rate", seed, RECIPE | {"learning_rate": RATE * factor}))
        for name, change in CHANGES.items() if seed < 4 else ():
            given = {key: sft if key == "value_model_name_or_path" else value for key, value in change.items()}
            found.append((name, seed, RECIPE | {"learning_rate": 3 * RATE} | given))
    return found


def table(made: list[dict]) -> str:
    """One line a setting: how many runs, how many diverged, gold at the end less gold at the start, its spread."""
    lines = ["| | runs | diverged | gold gained | spread over seeds | largest KL |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(run["design"] for run in made):
        of = [run["history"] for run in made if run["design"] == name]
        gains = [fmean(line["watch/gold"] for line in h[-LAST:]) - h[0]["watch/gold"] for h in of]
        far = max(line["objective/kl"] for h in of for line in h)
        lost = sum(gain < 0 for gain in gains)
        lines.append(f"| {name} | {len(of)} | {lost} | {fmean(gains):+.3f} | {pstdev(gains):.3f} | {far:.1f} |")
    return "\n".join(lines)


def main(world: Path, out: Path, most: int) -> None:
    """Makes what is still missing, then prints the table."""
    out.mkdir(parents=True, exist_ok=True)
    place, kept = runs.playground(world, out), out / "stability.json"
    made = json.loads(kept.read_text()) if kept.is_file() else []
    done = {(run["design"], run["seed"]) for run in made}
    missing = [row for row in plan(str(world / "sft")) if row[:2] not in done]
    for name, seed, settings in missing[: max(0, most - len(made))]:
        own = {"reward_model_name_or_path": place.options["value_model_name_or_path"]}
        _, history = runs.one(place, name, seed, own | settings)
        made.append({"design": name, "seed": seed, "history": history})
        kept.write_text(json.dumps(made) + "\n", encoding="utf-8")
    print(table(made))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else 10_000)
