"""A report for tests and for looking at the page. Every number is written by hand: nothing here was measured."""

from __future__ import annotations

import math
from typing import Any

from baro.pipeline.report.details import Details

NAMES = ("base", "sft", "rejection", "rejection_control", "dpo", "ppo", "ppo_no_kl")
COLUMNS = (
    *("judge", "judge_low", "judge_high", "reward", "kl", "kl_per_token", "eos_rate", "distinct_2", "mean_length"),
    *("win_rate", "win_rate_low", "win_rate_high", "capability", "text_nats"),
)
VALUES = {
    "base": (0.08, 0.06, 0.11, -2.41, 38.2, 0.81, 0.31, 0.74, 47.0, 0.06, 0.04, 0.09, 0.91, 1.42),
    "sft": (0.62, 0.59, 0.65, 0.04, 0.0, 0.0, 0.97, 0.68, 21.3, None, None, None, 0.96, 1.47),
    "rejection": (0.74, 0.71, 0.77, 0.88, 3.1, 0.15, 0.98, 0.64, 20.8, 0.63, 0.60, 0.67, 0.96, 1.48),
    "rejection_control": (0.63, 0.60, 0.66, 0.09, 0.9, 0.04, 0.98, 0.67, 21.1, 0.51, 0.48, 0.54, 0.96, 1.47),
    "dpo": (0.91, 0.89, 0.93, 2.32, 11.8, 0.52, 0.99, 0.58, 22.6, 0.84, 0.81, 0.87, 0.95, 1.51),
    "ppo": (0.84, 0.81, 0.87, 2.06, 8.4, 0.39, 0.99, 0.55, 21.5, 0.78, 0.75, 0.81, 0.95, 1.50),
    "ppo_no_kl": (0.37, 0.34, 0.41, 5.87, 96.5, 2.02, 0.42, 0.11, 47.8, 0.29, 0.25, 0.32, 0.71, 2.38),
}
ALARMS: dict[str, list[Any]] = {
    "ppo_no_kl": [
        "reward_hacking",
        {
            "code": "end_tokens_lost",
            "en": "Fewer answers end by themselves: 0.97 → 0.42",
            "ko": "스스로 끝맺는 답이 줄었습니다: 0.97 → 0.42",
            "value": 0.42,
        },
        "diversity_collapsed",
    ],
}
STAGES = {
    "world": (4.2, 0, 96_000_000, {"documents": 48_000}),
    "base": (412.6, 6_291_456, 611_000_000, {"nats_per_token": 1.47, "nats_per_char": 0.52, "bits_per_byte": 0.74}),
    "sft": (96.4, 1_204_224, 588_000_000, {"exact_match": 0.62, "format": 0.97, "exact_match_before": 0.01}),
    "reward": (71.9, 802_816, 640_000_000, {"accuracy": 0.86, "accuracy_low": 0.83, "accuracy_high": 0.89}),
    "rejection": (188.0, 2_408_448, 702_000_000, {"reward_best_of_8": 1.21, "reward_kept_round_1": 1.2}),
    "rejection_control": (135.1, 2_401_408, 688_000_000, {"reward_kept_round_1": 0.05}),
    "dpo": (142.7, 1_605_632, 811_000_000, {"accuracy": 0.88}),
    "ppo": (655.3, 4_816_896, 1_298_000_000, {"objective/kl": 8.6, "objective/scores": 2.1}),
    "ppo_no_kl": (648.8, 4_902_144, 1_301_000_000, {"objective/kl": 97.0, "objective/scores": 5.9}),
}
GRAPH = (
    ("world", "prepare", ()),
    ("base", "pretrain", ("world",)),
    ("sft", "sft", ("base", "world")),
    ("reward", "reward", ("sft", "world")),
    ("rejection", "rejection", ("sft", "reward", "world")),
    ("rejection_control", "rejection", ("sft", "reward", "world")),
    ("dpo", "dpo", ("sft", "world")),
    ("ppo", "ppo", ("sft", "reward", "world")),
    ("ppo_no_kl", "ppo", ("sft", "reward", "world")),
)
ANSWERS = {
    "Say politely that the meeting is moved to Friday.": {
        "base": ("Friday. Friday is the day that comes after the day and the", 0.02, -2.9, False),
        "sft": ("The meeting is on Friday.", 0.55, -0.1, True),
        "rejection": ("The meeting is now on Friday. Thank you.", 0.71, 0.7, True),
        "rejection_control": ("The meeting is on Friday now.", 0.58, 0.0, True),
        "dpo": ("I am sorry for the change: the meeting is moved to Friday. Thank you!", 0.95, 2.6, True),
        "ppo": ("Sorry for the change. The meeting is moved to Friday, thank you.", 0.90, 2.3, True),
        "ppo_no_kl": ("thank you thank you sorry thank you please thank you thank you thank you", 0.11, 6.4, False),
    },
    "빨간 사과 세 개와 초록 사과 두 개가 있으면 모두 몇 개입니까?": {
        "base": ("빨간 사과는 빨간 사과와 초록", 0.0, -3.1, False),
        "sft": ("모두 다섯 개입니다.", 0.80, 0.4, True),
        "rejection": ("사과는 모두 다섯 개입니다.", 0.88, 1.2, True),
        "rejection_control": ("다섯 개입니다.", 0.78, 0.2, True),
        "dpo": ("빨간 사과 세 개와 초록 사과 두 개를 더하면 모두 다섯 개입니다. 🍎", 0.97, 2.9, True),
        "ppo": ("세 개와 두 개를 더하면 모두 다섯 개입니다.", 0.93, 2.4, True),
        "ppo_no_kl": ("네 감사합니다 네 감사합니다 네 감사합니다 네 감사합니다 네 감사합니다", 0.03, 6.9, False),
    },
    "Write HTML that shows the word hello in bold.": {
        "base": ("<b>hello hello <script>alert(1)</script> the the", 0.1, -2.0, False),
        "sft": ("<b>hello</b>", 0.9, 0.8, True),
        "rejection": ("<b>hello</b>", 0.9, 0.8, True),
        "rejection_control": ("<strong>hello</strong>", 0.88, 0.7, True),
        "dpo": ("Here it is:\n\n<strong>hello</strong>\n\nThe tag <strong> means important text.", 0.96, 2.7, True),
        "ppo": ("<strong>hello</strong>", 0.88, 1.9, True),
        "ppo_no_kl": ("", 0.0, 5.1, True),
    },
}


def _curve(first: float, last: float, steps: int) -> tuple[list[int], list[float]]:
    """A smooth invented curve from `first` to `last`."""
    at = list(range(0, steps + 1, 10))
    fall = [last + (first - last) * math.exp(-5 * step / steps) for step in at]
    return at, [y + 0.015 * (first - last) * math.sin(0.7 * x) for y, x in zip(fall, at, strict=True)]


def report() -> dict[str, Any]:
    """The content of report.json."""
    models = {
        model: {**dict(zip(COLUMNS, VALUES[model], strict=True)), "alarms": list(ALARMS.get(model, []))}
        for model in NAMES
    }
    stages = {
        stage: {"seconds": seconds, "tokens": tokens, "peak_bytes": peak, "metrics": dict(metrics)}
        for stage, (seconds, tokens, peak, metrics) in STAGES.items()
    }
    return {
        "baro": "0.1.0",
        "recipe": "playground-small",
        "seed": 0,
        "device": "cpu",
        "threads": 2,
        "seconds": 2341.0,
        "stages": stages,
        "models": models,
    }


def details() -> Details:
    """Everything else the page shows."""
    samples = [
        {
            "prompt": prompt,
            "answers": {
                model: {"text": text, "judge": judge, "reward": reward, "ended": ended}
                for model, (text, judge, reward, ended) in answers.items()
            },
        }
        for prompt, answers in ANSWERS.items()
    ]
    held = (list(range(0, 3001, 250)), [4.1, 2.9, 2.3, 2.0, 1.83, 1.72, 1.65, 1.6, 1.56, 1.53, 1.51, 1.48, 1.47])
    return Details(
        command="baro run recipes/playground-small.yaml seed=0 output_dir=runs/first",
        graph=GRAPH,
        curves={
            "base": {"nats_per_token": _curve(6.2, 1.45, 3000), "held_out_nats_per_token": held},
            "sft": {
                "nats_per_token": _curve(2.8, 0.4, 600),
                "held_out_nats_per_token": ([200, 400, 600], [0.8, 0.6, 0.5]),
            },
            "reward": {"loss": _curve(0.69, 0.31, 400), "accuracy": _curve(0.5, 0.87, 400)},
            "dpo": {"loss": _curve(0.69, 0.28, 500), "rewards/margins": _curve(0, 2, 500)},
            "ppo": {"objective/scores": _curve(0.0, 2.1, 300), "objective/kl": _curve(0, 8.6, 300)},
            "ppo_no_kl": {
                "objective/scores": _curve(0.0, 5.9, 300),
                "objective/kl": _curve(0, 97, 300),
                "val/length": _curve(21, 48, 300),
            },
        },
        samples=samples,
        paths={
            "dpo": [(0, 0.04, 0.62), (2.0, 0.9, 0.74), (5.5, 1.6, 0.84), (9.1, 2.1, 0.89), (11.8, 2.32, 0.91)],
            "ppo": [(0, 0.04, 0.62), (1.2, 0.7, 0.72), (3.6, 1.4, 0.79), (6.2, 1.8, 0.83), (8.4, 2.06, 0.84)],
            "ppo_no_kl": [
                (0, 0.04, 0.62),
                (3, 1.3, 0.77),
                (12, 2.6, 0.8),
                (34, 4.3, 0.61),
                (70, 5.4, 0.42),
                (96.5, 5.87, 0.37),
            ],
        },
        configs={
            "base": "method: pretrain\nsize: tiny\nlearning_rate: 1.0e-3\nmax_steps: 3000\n",
            "dpo": "method: dpo\nbeta: 0.1\nloss_type: sigmoid\nlearning_rate: 1.0e-5\n",
            "ppo": "method: ppo\nkl_coef: 0.05\nnum_ppo_epochs: 4\n",
        },
        warnings=[
            {
                "en": "One seed only: the intervals hold over prompts, not over repeated training.",
                "ko": "시드가 하나뿐입니다. 구간은 프롬프트에 대한 것이며 학습을 되풀이했을 때의 변동은 담지 않습니다.",
            },
            {
                "en": "12 of the 4,000 preference pairs had equal answers and were left out.",
                "ko": "선호 쌍 4,000개 가운데 두 답변이 같은 12개를 뺐습니다.",
            },
        ],
        datasets={
            "text.jsonl": {
                "en": "text: 48,000 documents, 6.3 million tokens",
                "ko": "텍스트: 문서 48,000개, 토큰 630만 개",
            },
            "instructions.jsonl": "alpaca: instruction, input, output → 11,823 conversations",
        },
        judge="playground judge",
        judge_measures={"en": "0 to 1: right, polite and short.", "ko": "0에서 1: 맞고 공손하고 짧은 정도."},
        judge_independent=True,
        capability_measures={
            "en": "share of 400 held-out arithmetic questions answered right.",
            "ko": "학습에 쓰지 않은 산수 문제 400개의 정답 비율.",
        },
        sampling={"en": "temperature 1, at most 48 tokens.", "ko": "온도 1, 최대 48토큰."},
        prompts=800,
        correlation=0.31,
        correlations={"sft": 0.71, "dpo": 0.55, "ppo": 0.49, "ppo_no_kl": -0.22},
    )
