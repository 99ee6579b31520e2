"""What watches a run: signals of every rollout, the rules that turn them into alarms, and what an alarm does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from baro.engine import dist, files
from baro.engine.run import Run
from baro.evals.statistics import distinct
from baro.models.load import language_model, save
from baro.recipes import shown
from baro.recipes.episodes import Episode
from baro.recipes.scoring import Scores, by_function, by_model, disagreement_of
from baro.watch import rules, signals
from baro.watch.alarms import Alarm

BEST = "best"
"""Folder of the weights that the held-out reward model liked best, kept for on_alarm=rewind."""


class Watcher:
    """Sees every rollout of a run; has a state, so that a resumed run goes on with the same history.

    Args:
        config: on_alarm, output_dir, dtype, device.
        model: the policy, rewound to its best weights where on_alarm says so.
        referees: scores that training does not see, by name (`referees`).
    """

    def __init__(
        self,
        config,
        run: Run,
        model,
        tokenizer,
        referees: Mapping[str, Scores] | None = None,
        *,
        limits: rules.Limits | None = None,
    ) -> None:
        self.config, self.run, self.model, self.tokenizer = config, run, model, tokenizer
        self.limits, self.referees = limits or rules.Limits(), referees or {}
        if getattr(config, "environment", None):
            self.limits = replace(self.limits, entropy=0.0)  # where there is one right answer, being sure is the aim
        self.history: list[dict[str, float]] = []
        self.raised: list[dict[str, Any]] = []
        self.update: dict[str, float] = {}
        self.best: tuple[int, float] | None = None
        self.factor, self.reason = 1.0, ""

    def see(self, episodes: Items[Episode], trained: Items[Tensor], figures: dict[str, float]) -> dict[str, float]:
        """The signals of one rollout, for the log; rings alarms and acts on them.

        Args:
            episodes: the answers with what they earned; referees see the last answer of each.
            trained: (n,) log-probability of each episode's own tokens as the trainer computes it, or nothing.
            figures: what the method itself measured of this rollout.
        """
        rows, scores = [episode.turns[-1] for episode in episodes], [episode.score for episode in episodes]
        found = _signals(episodes)
        if trained:
            sampled = [[x for turn in episode.turns for x in turn.answer.log_probs] for episode in episodes]
            found["watch/mismatch"] = signals.mismatch(sampled, [row.tolist() for row in trained])
        if not self.history and "objective/kl" in figures:
            found["watch/first_drift"] = figures["objective/kl"]
        for name, referee in self.referees.items():
            values = referee(rows)
            found[f"watch/{name}"] = sum(values) / len(values)
            found[f"watch/{name}_sd"] = (sum((v - found[f"watch/{name}"]) ** 2 for v in values) / len(values)) ** 0.5
        found["watch/scores_sd"] = _sd(scores)
        if shown.kept(len(self.history)):
            self.run.show(shown.some(episodes))
        self.note(figures | found, answers=len(rows))
        return found

    def note(self, figures: dict[str, float], *, answers: int = 0) -> None:
        """Adds a line of history, and rings what it breaks."""
        self.history.append({**self.update, **figures, "watch/answers": float(answers)})
        self._remember_best()
        known = {alarm["code"] for alarm in self.raised}
        for alarm in rules.broken(self.history, self.limits):
            if alarm.code not in known:
                self._ring(alarm)

    def on_update(self, _: int, figures: dict[str, float]) -> str | None:
        """Keeps an update's figures (clip fraction, gradient norm, …); a reason to stop when an alarm asks for it."""
        self.update = {name: figures[name] for name in rules.OF_UPDATES if name in figures}
        return self.reason or None

    def price(self) -> float:
        """By how much kl_coef is to be multiplied from here on: 1 unless an alarm just asked for more."""
        factor, self.factor = self.factor, 1.0
        return factor

    def finish(self) -> None:
        """After the last update: alarms.json, and the best weights where the run was stopped to rewind."""
        if dist.main_rank():
            files.replace_json(Path(self.config.output_dir) / "alarms.json", {"alarms": self.raised})
        if self.reason and self.config.on_alarm == "rewind" and self.best:
            folder = Path(self.config.output_dir) / BEST
            dist.barrier()
            best = language_model(folder, **self.config.trained)
            self.model.load_state_dict(best.state_dict())
            self.run.say(f"rewound to the weights after rollout {self.best[0]}, the best by the held-out reward model.")

    def state(self) -> dict:
        """History, alarms and the best rollout."""
        return {
            "history": json.dumps(self.history),
            "raised": json.dumps(self.raised),
            "update": self.update,
            "best": list(self.best) if self.best else [],
            "factor": self.factor,
            "reason": self.reason,
        }

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.history, self.raised = json.loads(state["history"]), json.loads(state["raised"])
        self.update, self.factor, self.reason = state["update"], state["factor"], state["reason"]
        self.best = (int(state["best"][0]), float(state["best"][1])) if state["best"] else None

    def _ring(self, alarm: Alarm) -> None:
        """Says the alarm, keeps it, and does what on_alarm says."""
        self.raised.append(alarm.as_dict() | {"rollout": len(self.history)})
        self.run.say(
            f"alarm {alarm.code} at rollout {len(self.history)}: {alarm.en} {alarm.remedy.get('en', '')}".strip()
        )
        if alarm.code not in rules.GRAVE:
            return
        if self.config.on_alarm == "raise_kl":
            self.factor *= 2
        elif self.config.on_alarm in ("stop", "rewind"):
            self.reason = f"alarm: {alarm.code}"

    def _remember_best(self) -> None:
        """Keeps the policy's weights whenever the held-out score, smoothed, is the highest so far."""
        smooth = rules.smoothed(self.history, "watch/held_out", self.limits.window)
        if self.config.on_alarm != "rewind" or smooth is None or (self.best and smooth <= self.best[1]) or self.reason:
            return
        self.best = (len(self.history), smooth)
        if dist.main_rank():
            save(self.model, self.tokenizer, Path(self.config.output_dir) / BEST)


def of_updates(watch: Watcher, *, beta: float, anchored: bool = True) -> Callable[[int, dict[str, float]], str | None]:
    """What a method that learns from given answers tells the watch after every update; a reason to stop, or none.

    Args:
        beta: the figure rewards/chosen is beta · log-ratio. anchored: before the first update that ratio must be 0.
    """

    def look(number: int, figures: dict[str, float]) -> str | None:
        found = dict(figures)
        if "rewards/chosen" in found and "rewards/rejected" in found:
            found["rewards/margins"] = found["rewards/chosen"] - found["rewards/rejected"]
        if number == 1 and anchored and "rewards/chosen" in found:
            found["watch/first_drift"] = found["rewards/chosen"] / beta
        watch.note(found)
        return watch.on_update(number, figures)

    return look


def referees(config, tokenizer) -> dict[str, Scores]:
    """What only watches: the held-out reward model, the gold judge, whichever the settings name."""
    found: dict[str, Scores] = {}
    if config.held_out_reward_model:
        found["held_out"] = by_model(config.held_out_reward_model, tokenizer, **config.frozen)
    if config.reward_ensemble:
        found["disagreement"] = disagreement_of(config, tokenizer)
    if config.judge:
        found["gold"] = by_function(config.judge, config.judge_args, seconds=config.reward_timeout)
    return found


def _signals(episodes: Items[Episode]) -> dict[str, float]:
    rows = [episode.turns[-1] for episode in episodes]
    scores, lengths = [episode.score for episode in episodes], [episode.sequence.count for episode in episodes]
    prompts = ["\n".join(turn.content for turn in row.prompt.messages) for row in rows]
    return {
        "watch/length_share": signals.explained_by(scores, lengths),
        "watch/distinct_2": distinct([row.answer.tokens for row in rows]),
        "watch/repeated": signals.repeated([(p, row.text) for p, row in zip(prompts, rows, strict=True)]),
    }


def _sd(values: Items[float]) -> float:
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
