"""What models, metrics, figures and alarms are called and mean, in English and Korean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baro.pipeline.report.details import Words
from baro.pipeline.report.markup import visible
from baro.pipeline.report.words import PAGE, both, pairs

# Names of models and stages, as tables and sentences have them.
NAMES = pairs(
    {
        "base": ("Base", "기반 모델"),
        "sft": ("SFT", "SFT"),
        "rejection": ("Rejection sampling", "리젝션 샘플링"),
        "rejection_control": ("Random choice (control)", "무작위 선택(대조군)"),
        "dpo": ("DPO", "DPO"),
        "ppo": ("PPO", "PPO"),
        "ppo_no_kl": ("PPO without KL", "KL 없는 PPO"),
        "kto": ("KTO", "KTO"),
        "online_dpo": ("Online DPO", "온라인 DPO"),
        "group": ("Group method", "그룹 방법"),
        "rloo": ("RLOO", "RLOO"),
        "grpo": ("GRPO", "GRPO"),
        "prepare": ("Data", "데이터 준비"),
        "world": ("World", "세계"),
        "pretrain": ("Pre-training", "사전 학습"),
        "reward": ("Reward model", "보상 모델"),
        "nothing": ("nothing", "입력 없음"),
        "evaluate": ("Evaluation", "평가"),
    }
)
# The same, short enough to stand beside a point of a chart.
SHORT = pairs(
    {
        "base": ("Base", "기반"),
        "rejection": ("Rejection", "리젝션"),
        "rejection_control": ("Random choice", "무작위 선택"),
        "ppo_no_kl": ("PPO, no KL", "PPO, KL 없음"),
    }
)

# Column heads and the one-sentence explanation of each metric.
METRICS = pairs(
    {
        "model": ("Model", "모델"),
        "judge": ("Judge", "심판"),
        "win_rate": ("Beats SFT", "SFT 상대 승률"),
        "reward": ("Proxy reward", "대리 보상"),
        "kl": ("KL to SFT", "SFT와의 KL"),
        "capability": ("Capability kept", "유지된 능력"),
        "eos_rate": ("Ended", "끝맺음"),
        "distinct_2": ("Distinct‑2", "Distinct‑2"),
        "mean_length": ("Length", "길이"),
        "text_nats": ("Text loss", "텍스트 손실"),
        "seconds": ("Time", "시간"),
        "peak_bytes": ("Memory", "메모리"),
        "alarms": ("Alarms", "경보"),
    }
)
UNITS = pairs(
    {
        "judge": ("score", "점수"),
        "win_rate": ("of prompts", "프롬프트 비율"),
        "reward": ("model’s score", "모델 점수"),
        "kl": ("nats per answer", "답변당 nat"),
        "capability": ("of tasks", "과제 비율"),
        "eos_rate": ("of answers", "답변 비율"),
        "distinct_2": ("of token pairs", "토큰 쌍 비율"),
        "mean_length": ("tokens", "토큰"),
        "text_nats": ("nats per token", "토큰당 nat"),
        "seconds": ("s per run", "실행당 초"),
        "peak_bytes": ("peak", "최대"),
    }
)
MEANINGS = pairs(
    {
        "judge": (
            "How good the answers are, scored by a judge that no training step has seen. Higher is better; this"
            " decides which method won.",
            "학습에 한 번도 쓰이지 않은 심판이 매긴 답변의 품질입니다. 높을수록 좋으며, 어느 방법이 나은지는 이"
            " 점수로 정합니다.",
        ),
        "win_rate": (
            "Share of prompts on which the judge prefers this model’s answer to SFT’s; a tie counts half, so 50% means"
            " no difference. Without a judge the reward model decides.",
            "같은 프롬프트에서 심판이 SFT의 답변보다 이 모델의 답변을 더 높게 본 비율입니다. 비기면 절반으로 세므로"
            " 50%면 차이가 없습니다. 심판이 없으면 보상 모델이 정합니다.",
        ),
        "reward": (
            "The score of the trained reward model: what training pushes up, only a stand-in for real quality."
            " High here with a low judge is reward hacking.",
            "학습된 보상 모델의 점수입니다. 학습이 끌어올리는 대상이며 실제 품질의 대용일 뿐입니다. 이 값만 높고"
            " 심판 점수가 낮으면 보상 해킹입니다.",
        ),
        "kl": (
            "How far the model’s distribution over answers has moved from SFT’s. Smaller is closer; 0 is SFT itself."
            " The small number is the same per token.",
            "답변의 확률 분포가 SFT에서 얼마나 멀어졌는지입니다. 작을수록 가깝고 0이면 SFT 그 자체입니다. 작은"
            " 글씨는 토큰당 값입니다.",
        ),
        "capability": (
            "Share of held-out tasks answered exactly right; the small number is the difference from SFT. A fall means"
            " that something was forgotten.",
            "학습에 쓰지 않은 과제를 정확히 맞힌 비율입니다. 작은 글씨는 SFT와의 차이이며, 떨어졌다면 무언가를 잊은"
            " 것입니다.",
        ),
        "eos_rate": (
            "Share of answers the model ended by itself; the others were cut at the length limit.",
            "모델이 스스로 끝맺은 답변의 비율입니다. 나머지는 길이 제한에서 잘렸습니다.",
        ),
        "distinct_2": (
            "Share of neighbouring token pairs that are different, over all answers together. A low value means"
            " repetition.",
            "모든 답변의 이웃한 토큰 쌍 가운데 서로 다른 쌍의 비율입니다. 낮으면 같은 말을 되풀이한다는 뜻입니다.",
        ),
        "mean_length": ("Mean length of an answer in tokens.", "답변 하나의 평균 토큰 수입니다."),
        "text_nats": (
            "Loss on held-out text like that of pre-training, in nats per token. Lower is better; a rise means"
            " forgotten language.",
            "사전 학습과 같은 종류의 검증 텍스트에서 잰 토큰당 손실(nat)입니다. 낮을수록 좋고, 올랐다면 언어를"
            " 잊은 것입니다.",
        ),
        "seconds": (
            "Time at work of one training run, the mean over seeds; waiting for other programs and the evaluation"
            " are not in it.",
            "학습 한 번에 실제로 일한 시간의 시드 평균입니다. 다른 프로그램을 기다린 시간과 평가 시간은 빠집니다.",
        ),
        "peak_bytes": (
            "The most memory that the process, or the GPU, held during a run.",
            "실행 중 프로세스 또는 GPU가 가장 많이 쓴 메모리입니다.",
        ),
    }
)

# Alarms as `watch.alarms` names them: the badge, and what it means where the alarm itself does not say. A code that is
# not here is shown as it is.
ALARMS = pairs(
    {
        "reward_hacking": ("reward hacking", "보상 해킹"),
        "kl_runaway": ("far from SFT", "SFT에서 멂"),
        "end_tokens_lost": ("does not end", "끝맺지 못함"),
        "diversity_collapsed": ("less variety", "다양성 감소"),
        "length_drift": ("length drift", "길이 변화"),
        "capability_lost": ("capability lost", "능력 저하"),
        "length_exploit": ("length exploited", "길이 악용"),
        "collapse": ("collapse", "붕괴"),
        "value_useless": ("critic useless", "가치 모델 무용"),
        "chosen_likelihood_falls": ("chosen answers fall", "고른 답변 하락"),
        "sampler_trainer_mismatch": ("sampler ≠ trainer", "표본 ≠ 학습"),
        "stale_reference": ("wrong reference", "기준 모델 어긋남"),
        "ensemble_disagrees": ("ensemble disagrees", "앙상블 불일치"),
    }
)
ALARM_MEANINGS = pairs(
    {
        "reward_hacking": (
            "The proxy reward is above SFT’s while the judge is clearly below it: the model found a detour to a high"
            " score.",
            "대리 보상은 SFT보다 높은데 심판 점수는 뚜렷이 낮습니다. 모델이 점수만 올리는 샛길을 찾았습니다.",
        ),
        "kl_runaway": (
            "The model has moved so far from SFT that the reward model can no longer be trusted.",
            "모델이 SFT에서 너무 멀어져 보상 모델을 더는 믿을 수 없습니다.",
        ),
        "end_tokens_lost": (
            "Many answers never end and are cut at the length limit.",
            "끝맺지 못하고 길이 제한에서 잘린 답변이 많습니다.",
        ),
        "diversity_collapsed": (
            "Answers to different prompts have become alike.",
            "서로 다른 프롬프트에 대한 답변들이 비슷해졌습니다.",
        ),
        "length_drift": (
            "Answers have become much longer or shorter than SFT’s.",
            "답변 길이가 SFT보다 크게 길어지거나 짧아졌습니다.",
        ),
        "capability_lost": (
            "The model has become worse at tasks it could do before.",
            "전에 하던 과제를 더 못하게 되었습니다.",
        ),
        "length_exploit": ("Longer answers earn more, so answers grew.", "긴 답이 점수를 더 받아 답이 길어졌습니다."),
        "collapse": ("Answers repeat, or no longer end.", "답이 반복되거나 끝나지 않습니다."),
        "value_useless": ("The critic explains nothing.", "가치 모델이 아무것도 설명하지 못합니다."),
        "chosen_likelihood_falls": (
            "The margin grew, but the chosen answers themselves became less likely.",
            "차이는 커졌지만 고른 답변 자체의 가능도가 떨어졌습니다.",
        ),
        "sampler_trainer_mismatch": (
            "Sampler and trainer disagree about probabilities.",
            "표본 추출과 학습의 확률이 서로 다릅니다.",
        ),
        "stale_reference": ("The reference is another model.", "기준 모델이 다른 모델입니다."),
        "ensemble_disagrees": (
            "The reward models disagree more and more.",
            "보상 모델들의 의견 차이가 커지고 있습니다.",
        ),
    }
)

# Figures of stages and series of curves, with their units.
FIGURES = pairs(
    {
        "nats_per_token": ("loss, nats per token", "손실, 토큰당 nat"),
        "nats_per_char": ("loss, nats per character", "손실, 글자당 nat"),
        "bits_per_byte": ("bits per byte", "바이트당 비트"),
        "loss": ("loss, nats per pair", "손실, 쌍당 nat"),
        "accuracy": ("accuracy on pairs", "쌍 정확도"),
        "exact_match": ("exact match", "완전 일치"),
        "exact_match_unseen": ("of facts only the pre-training text tells", "사전학습 글에만 나온 사실"),
        "format": ("right form", "형식 준수"),
        "acceptance": ("answers kept", "고른 답변 비율"),
        "reward": ("proxy reward", "대리 보상"),
        "kl": ("KL to SFT, nats per answer", "SFT와의 KL, 답변당 nat"),
        "kl_bound": ("KL of choosing, nats at most", "선택의 KL 상한, nat"),
        "rewards/accuracies": ("accuracy on pairs", "쌍 정확도"),
        "rewards/margins": ("margin, chosen minus rejected", "고른 답변과 버린 답변의 보상 차"),
        "logps/chosen": ("log-probability of chosen, nats", "고른 답변의 로그확률, nat"),
        "logps/rejected": ("log-probability of rejected, nats", "버린 답변의 로그확률, nat"),
        "objective/scores": ("proxy reward", "대리 보상"),
        "objective/kl": ("KL to SFT, nats per answer", "SFT와의 KL, 답변당 nat"),
        "objective/kl_coef": ("price of KL, β", "KL의 값 β"),
        "objective/rlhf_reward": ("proxy reward minus the price of KL", "KL의 값을 뺀 대리 보상"),
        "objective/entropy": ("entropy, nats per token", "엔트로피, 토큰당 nat"),
        "policy/clipfrac_avg": ("clipped share of tokens", "잘린 토큰 비율"),
        "val/length": ("length, tokens per answer", "길이, 답변당 토큰"),
        "val/ended": ("answers that end", "끝맺은 답변 비율"),
        "watch/held_out": ("held-out reward model", "따로 둔 보상 모델"),
        "watch/gold": ("gold judge", "심판 점수"),
        "watch/distinct_2": ("distinct token pairs", "서로 다른 토큰 쌍"),
        "val/explained_variance": ("variance the critic explains", "가치 모델이 설명하는 분산"),
    }
)
# The same with a number or a moment in their names.
NUMBERED = pairs(
    {
        r"reward_best_of_(\d+)": ("proxy reward, best of {}", "대리 보상, {}개 중 최고"),
        r"reward_kept_round_(\d+)": ("proxy reward kept, round {}", "고른 답변의 대리 보상, {}회"),
        r"(.+)_before": ("before: {}", "이전: {}"),
    }
)
# Figures that are shares and are written as percentages.
_SHARES = frozenset(
    {
        "exact_match",
        "exact_match_unseen",
        "format",
        "accuracy",
        "acceptance",
        "rewards/accuracies",
        "policy/clipfrac_avg",
        "val/ended",
    }
)


def name(model: str, *, short: bool = False) -> Words:
    """What a model or a stage is called; an unknown one keeps its own name."""
    if short and model in SHORT:
        return SHORT[model]
    return NAMES.get(model, both(visible(model)))


def figure_name(key: str) -> Words:
    """What a figure of a stage or a series of a curve is called; an unknown one keeps its own name."""
    if key in FIGURES:
        return FIGURES[key]
    for pattern, words in NUMBERED.items():
        if match := re.fullmatch(pattern, key):
            part = both(match[1]) if match[1].isdigit() else figure_name(match[1])
            return {language: text.format(part[language]) for language, text in words.items()}
    return both(key.replace("_", " "))


def is_share(key: str) -> bool:
    """Whether a figure lies between 0 and 1 and is written as a percentage."""
    return key.removesuffix("_before") in _SHARES


@dataclass(frozen=True)
class Alarm:
    """One alarm of a model: its code, the words of its badge, and what it means."""

    code: str
    label: Words
    meaning: Words


def alarms_of(values: Mapping[str, Any]) -> list[Alarm]:
    """The alarms of one model of report.json; its own words, if it has any, come before ours."""
    found = []
    for alarm in values.get("alarms") or ():
        given = alarm if isinstance(alarm, dict) else {"code": alarm}
        code = visible(str(given.get("code", "")))
        own = both({language: visible(given.get(language) or "") for language in ("en", "ko")})
        meaning = own if own["en"] else ALARM_MEANINGS.get(code, PAGE["alarm_fallback"])
        found.append(Alarm(code, ALARMS.get(code, both(code.replace("_", " "))), meaning))
    return found
