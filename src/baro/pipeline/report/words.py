"""Every sentence and caption of the page, in English and Korean.

Korean sentences avoid particles that depend on the last sound of a name, so that any model name can stand in them.
"""

from __future__ import annotations

from typing import Any

from baro.pipeline.report.details import Words


def pairs(table: dict[str, tuple[str, str]]) -> dict[str, Words]:
    """A table of (English, Korean) as texts in both languages."""
    return {key: {"en": english, "ko": korean} for key, (english, korean) in table.items()}


def both(text: str | Words | None) -> Words:
    """The text in both languages; a plain string reads the same in both."""
    if isinstance(text, dict):
        english = text.get("en") or text.get("ko") or ""
        return {"en": str(english), "ko": str(text.get("ko") or english)}
    return {"en": text or "", "ko": text or ""}


def fill(template: Words, **values: Any) -> Words:
    """`template` in both languages with `values` put in; a value in two languages goes in the right one."""
    return {
        language: text.format(**{key: both(v)[language] if isinstance(v, dict) else v for key, v in values.items()})
        for language, text in template.items()
    }


def join(parts: list[Words], separator: str | Words = ", ") -> Words:
    """Texts in both languages, one after the other."""
    between = both(separator)
    return {language: between[language].join(part[language] for part in parts) for language in ("en", "ko")}


# What the numbers say: the headline and the sentences under it.
FINDINGS = pairs(
    {
        "nothing": ("No model was evaluated.", "평가한 모델이 없습니다."),
        "only_one": ("Only one model was evaluated: {name}.", "평가한 모델이 하나뿐입니다: {name}."),
        "no_judge": (
            "No winner can be named: there was no judge.",
            "심판이 없어 어느 방법이 나은지 말할 수 없습니다.",
        ),
        "no_judge_why": (
            "Only the proxy reward was measured. It is what training pushed up, so a high value alone does not show"
            " better answers. Highest: {name}, {reward}.",
            "대리 보상만 쟀습니다. 대리 보상은 학습이 끌어올린 대상이므로 값이 높다고 해서 답변이 더 좋다고 할 수"
            " 없습니다. 가장 높은 모델: {name}, {reward}.",
        ),
        "won": ("{name} won.", "가장 나은 방법은 {name}입니다."),
        "tied": (
            "{names} lead; this run cannot tell them apart.",
            "앞선 방법은 {names}이며, 이 실행으로는 서로 우열을 가릴 수 없습니다.",
        ),
        "no_better": ("No method did better than {name}.", "{name}보다 나은 방법은 없었습니다."),
        "not_clearly_better": (
            "No method is clearly better than {name}.",
            "{name}보다 뚜렷이 나은 방법은 없었습니다.",
        ),
        "highest_uncertain": (
            "{name} scored highest, without intervals.",
            "점수가 가장 높은 방법은 {name}입니다(구간 없음).",
        ),
        "against": (
            "The judge scores {a}’s answers {x} and {b}’s {y}: {difference}, and the intervals do not overlap.",
            "심판 점수: {a} {x}, {b} {y}. 차이는 {difference}이며 구간이 겹치지 않습니다.",
        ),
        "against_overlap": (
            "The judge scores {a}’s answers {x} and {b}’s {y}: {difference}, but the intervals overlap, so this may be"
            " chance.",
            "심판 점수: {a} {x}, {b} {y}. 차이는 {difference}이지만 구간이 겹치므로 우연일 수 있습니다.",
        ),
        "against_unknown": (
            "The judge scores {a}’s answers {x} and {b}’s {y}: {difference}. Without intervals, chance cannot be ruled"
            " out.",
            "심판 점수: {a} {x}, {b} {y}. 차이는 {difference}이지만 구간이 없어 우연인지 알 수 없습니다.",
        ),
        "next": (
            "Next is {name} with {x}; the intervals do not overlap.",
            "그다음은 {name}: {x}. 구간이 겹치지 않습니다.",
        ),
        "overlap": (
            "Not to be told from {name}, because the intervals overlap: {others}.",
            "구간이 겹쳐 {name} 방법과 우열을 가릴 수 없음: {others}.",
        ),
        "win_rate": (
            "On {share} of the prompts the judge prefers {name}’s answer to {reference}’s.",
            "같은 프롬프트에서 심판이 {reference}보다 {name}의 답변을 더 높게 본 비율은 {share}입니다.",
        ),
        "cost": (
            "What {name} paid: {costs}.",
            "{name}의 대가: {costs}.",
        ),
        "cost_kl": ("a KL of {kl} nats per answer from {reference}", "{reference} 기준 KL 답변당 {kl} nat"),
        "cost_capability": (
            "capability {value}, where {reference} has {other}",
            "능력 {value}({reference} {other})",
        ),
        "control_better": (
            "Choosing by reward is what helped: {a} {x}, {b} {y}, and the intervals do not overlap.",
            "보상으로 고른 것이 효과를 냈습니다: {a} {x}, {b} {y}. 구간이 겹치지 않습니다.",
        ),
        "control_same": (
            "Choosing by reward is not shown to help: {a} {x}, {b} {y}, and the intervals overlap.",
            "보상으로 고른 효과는 확인되지 않았습니다: {a} {x}, {b} {y}. 구간이 겹칩니다.",
        ),
        "control_worse": (
            "Choosing by reward did harm: {a} {x}, {b} {y}, and the intervals do not overlap.",
            "보상으로 고른 것이 오히려 해가 되었습니다: {a} {x}, {b} {y}. 구간이 겹치지 않습니다.",
        ),
        "hacked": (
            "Reward hacking: {name} has a proxy reward of {reward} ({reference}: {other}), yet the judge gives it {x},"
            " below {reference}’s {y}.",
            "보상 해킹: {name}의 대리 보상은 {reward}({reference}: {other})인데 심판 점수는 {x}, {reference}의 {y}보다"
            " 낮습니다.",
        ),
        "hacked_alarm": (
            "Reward hacking: an alarm was raised for {name}.",
            "보상 해킹: {name}에 경보가 울렸습니다.",
        ),
        "proxy_top": (
            "{name} has the highest proxy reward ({reward}) but not the best answers: the judge gives it {x}. There the"
            " reward model and the judge disagree.",
            "대리 보상이 가장 높은 모델은 {name}({reward})이지만 답변이 가장 좋지는 않습니다. 심판 점수: {x}. 여기서는"
            " 보상 모델과 심판의 판단이 갈립니다.",
        ),
        "leader_alarms": (
            "{name} leads with alarms raised: {alarms}.",
            "{name}: 앞섰지만 경보가 울렸습니다({alarms}).",
        ),
        "dependent": (
            "The judge and the reward model learnt from the same source, so this judge cannot show reward hacking.",
            "심판과 보상 모델이 같은 자료에서 배웠으므로 이 심판으로는 보상 해킹을 볼 수 없습니다.",
        ),
    }
)

# Headings, captions and labels of the page.
PAGE = pairs(
    {
        "title": ("Report: {recipe}", "보고서: {recipe}"),
        "made_with": (
            "Seed {seed} · {device}, {threads} threads · {time} in all",
            "시드 {seed} · {device}, 스레드 {threads}개 · 모두 {time}",
        ),
        "skip": ("Go to the result", "결과로 건너뛰기"),
        "language": ("Language", "언어"),
        "theme": ("Light or dark", "밝게 또는 어둡게"),
        "contents": ("Contents", "차례"),
        "nav_result": ("Result", "결과"),
        "nav_frontier": ("Reward and KL", "보상과 KL"),
        "nav_health": ("Reward model", "보상 모델"),
        "health": ("Can the reward be trusted?", "보상을 믿을 수 있나?"),
        "health_page": ("The whole health card", "건강 카드 전체"),
        "nav_samples": ("Answers", "답변"),
        "nav_run": ("What was run", "실행 내용"),
        "nav_curves": ("Curves", "곡선"),
        "nav_warnings": ("Warnings", "주의"),
        "nav_settings": ("Settings", "설정"),
        "nav_again": ("Run it again", "재현"),
        "warnings_link": ("Before trusting these numbers: {count}", "이 숫자를 믿기 전에: {count}가지"),
        "comparison": ("All models, same prompts", "같은 프롬프트에 대한 모든 모델"),
        "comparison_lead": (
            "Sorted by the judge. Brackets are {level} intervals{prompts}. The line in each bar is {reference}.",
            "심판 점수 순서입니다. 대괄호는 {level} 신뢰구간입니다{prompts}. 막대 안의 세로선은 {reference}입니다.",
        ),
        "comparison_lead_no_judge": (
            "Without a judge. Brackets are {level} intervals{prompts}.",
            "심판이 없습니다. 대괄호는 {level} 신뢰구간입니다{prompts}.",
        ),
        "over_prompts": (" over {count} held-out prompts", "(평가 프롬프트 {count}개)"),
        "judge_is": ("Judge: {name}.", "심판: {name}."),
        "judge_independent": (
            "It shares nothing with the reward model.",
            "보상 모델과는 독립적입니다.",
        ),
        "capability_is": ("Capability: {text}", "능력: {text}"),
        "sampling_is": ("Answers: {text}", "답변: {text}"),
        "points": ("{value} pp", "{value}%p"),
        "best": ("best", "최고"),
        "tied_badge": ("tied", "공동"),
        "not_measured": ("not measured", "측정하지 않음"),
        "meanings": ("What each number means", "각 숫자의 뜻"),
        "alarm_fallback": (
            "An alarm of the run’s monitors; see the log of the stage.",
            "실행 감시기가 울린 경보입니다. 단계의 기록을 보십시오.",
        ),
        "no_alarms": ("none", "없음"),
        "frontier": ("How far each method went, and what it got", "얼마나 멀리 갔고 무엇을 얻었나"),
        "frontier_lead": (
            "Every method moves away from SFT (to the right) to gain reward (up). The proxy reward is the reward"
            " model’s own score, which training pushes up; the judge is a score that training never saw. A model with a"
            " high proxy reward and a low judge has learnt to please the reward model, not to answer better: that is"
            " reward hacking.",
            "모든 방법은 SFT에서 멀어지면서(오른쪽으로) 보상을 얻습니다(위로). 대리 보상은 학습이 끌어올린 보상 모델"
            " 자신의 점수이고, 심판 점수는 학습이 한 번도 보지 못한 점수입니다. 대리 보상은 높은데 심판 점수가 낮은"
            " 모델은 더 잘 답하는 법이 아니라 보상 모델의 마음에 드는 법을 배운 것이며, 이것이 보상 해킹입니다.",
        ),
        "frontier_lead_no_judge": (
            "Every method moves away from SFT (to the right) to gain proxy reward (up), the reward model’s own score."
            " Without a judge, reward hacking would not be seen here.",
            "모든 방법은 SFT에서 멀어지면서(오른쪽으로) 보상 모델 자신의 점수인 대리 보상을 얻습니다(위로). 심판이"
            " 없으므로 보상 해킹이 있어도 여기서는 보이지 않습니다.",
        ),
        "axis_kl": ("KL to SFT, nats per answer (square-root scale)", "SFT와의 KL, 답변당 nat(제곱근 눈금)"),
        "axis_judge": ("Judge, score, with intervals", "심판 점수(구간 포함)"),
        "axis_reward": ("Proxy reward, reward model’s score", "대리 보상, 보상 모델 점수"),
        "faint_lines": ("Faint lines: the way during training.", "흐린 선: 학습 중에 지나온 길."),
        "ring": ("Red ring: reward hacking.", "붉은 고리: 보상 해킹."),
        "frontier_missing": ("Without a KL there is no point to draw.", "KL이 없어 그릴 점이 없습니다."),
        "correlation": (
            "Rank correlation (Spearman) of proxy reward and judge over all answers: {value}. 1 means that the reward"
            " model orders answers as the judge does, 0 that the two have nothing in common.",
            "모든 답변에서 대리 보상과 심판 점수의 순위 상관(스피어만): {value}. 1이면 보상 모델이 심판과 같은 순서로"
            " 답변을 매기고, 0이면 둘 사이에 공통점이 없습니다.",
        ),
        "correlation_each": ("Within each model: {values}.", "모델별: {values}."),
        "chart_point": ("{name} {value} at a KL of {kl}", "{name} {value}, KL {kl}에서"),
        "chart_stage": ("{stage} takes {inputs}", "{stage} 입력: {inputs}"),
        "chart_frontier_judge": (
            "Scatter of judge against KL to SFT: {values}",
            "심판 점수와 SFT와의 KL 산점도: {values}",
        ),
        "chart_frontier_reward": (
            "Scatter of proxy reward against KL to SFT: {values}",
            "대리 보상과 SFT와의 KL 산점도: {values}",
        ),
        "chart_curve": ("{stage}, {series}: from {first} to {last}", "{stage}, {series}: {first}에서 {last}까지"),
        "chart_graph": ("Stages and what they take: {values}", "단계와 그 입력: {values}"),
        "shift": ("What alignment changed, token by token", "정렬이 바꾼 것, 토큰별로"),
        "shift_lead": (
            "The tokens of each model’s greedy answers by their rank under the base model: unshifted where they are its"
            " first choice, marginal where its second or third, shifted beyond that (Lin et al. 2024; Llama-2-7b-chat:"
            " 77.7, 14.5 and 7.8 %). Few shifted tokens mean that alignment taught form rather than knowledge.",
            "각 모델의 탐욕적 답변을 이루는 토큰이 기본 모델에서 몇 번째 선택이었는지 보았습니다. 첫째면 그대로, 둘째나"
            " 셋째면 조금, 그 밖이면 바뀐 것입니다(Lin et al. 2024, Llama-2-7b-chat은 77.7, 14.5, 7.8 %). 바뀐 토큰이"
            " 적으면 정렬이 지식보다 형식을 가르쳤다는 뜻입니다.",
        ),
        "unshifted": ("unshifted", "그대로"),
        "marginal": ("marginal", "조금"),
        "shifted": ("shifted", "바뀜"),
        "most_shifted": ("shifted most often", "가장 많이 바뀐 토큰"),
        "samples": ("The same prompts, side by side", "같은 프롬프트, 나란히"),
        "samples_lead": (
            "Judge first, then proxy reward. {shown} of {count} prompts.",
            "앞은 심판 점수, 뒤는 대리 보상입니다. 프롬프트 {count}개 가운데 {shown}개.",
        ),
        "samples_none": ("No answers were handed over.", "담긴 답변이 없습니다."),
        "shown_models": ("Models shown", "보이는 모델"),
        "more_samples": ("{count} more prompts", "프롬프트 {count}개 더 보기"),
        "prompt": ("Prompt", "프롬프트"),
        "judge_chip": ("judge {value}", "심판 {value}"),
        "reward_chip": ("proxy {value}", "대리 {value}"),
        "unfinished": ("cut at the length limit", "길이 제한에서 잘림"),
        "empty_answer": ("(empty answer)", "(빈 답변)"),
        "no_answer": ("(no answer)", "(답변 없음)"),
        "cut_text": ("… {count} more characters, not shown here", "… 여기서 줄인 글자 {count}자"),
        "run": ("What was run", "무엇을 실행했나"),
        "run_lead": (
            "Arrows show what a stage takes from another. Time is wall-clock; memory is the peak of the process or"
            " device.",
            "화살표는 한 단계가 다른 단계에서 받아 쓰는 것을 나타냅니다. 시간은 실제 걸린 시간이고, 메모리는 프로세스"
            " 또는 장치의 최대 사용량입니다.",
        ),
        "stage": ("Stage", "단계"),
        "takes": ("Takes", "입력"),
        "time": ("Time", "시간"),
        "peak": ("Peak memory", "최대 메모리"),
        "tokens": ("Tokens", "토큰"),
        "result": ("Result", "결과"),
        "per_second": ("{rate}/s", "초당 {rate}"),
        "datasets": ("Data", "데이터"),
        "curves": ("Curves of each stage", "단계별 곡선"),
        "curves_lead": (
            "Steps of the optimiser to the right. Long runs are drawn as means of neighbouring steps.",
            "가로축은 최적화 스텝입니다. 긴 실행은 이웃한 스텝의 평균으로 그렸습니다.",
        ),
        "training_line": ("training", "학습"),
        "held_out_line": ("held out", "검증(held-out)"),
        "axis_step": ("step", "스텝"),
        "curves_none": ("No curves were handed over.", "담긴 곡선이 없습니다."),
        "warnings": ("Before trusting these numbers", "이 숫자를 믿기 전에"),
        "warnings_none": ("Nothing was found that speaks against them.", "의심할 만한 점은 발견되지 않았습니다."),
        "settings": ("Settings of each stage", "단계별 설정"),
        "settings_none": ("No settings were handed over.", "담긴 설정이 없습니다."),
        "again": ("Run it again", "다시 실행하기"),
        "again_lead": (
            "The same command with the same seed, version and machine gives the same numbers.",
            "같은 명령을 같은 시드, 버전, 기계에서 실행하면 같은 숫자가 나옵니다.",
        ),
        "copy": ("Copy", "복사"),
        "copied": ("Copied", "복사함"),
        "footer": (
            "Made by baro {version}. All numbers are in {file} beside this page. This page loads nothing from"
            " anywhere.",
            "baro {version}에서 만들었습니다. 모든 숫자는 이 문서 옆의 {file}에 있습니다. 이 문서는 어디에서도"
            " 아무것도 불러오지 않습니다.",
        ),
        "terminal_judge": ("judge", "심판"),
        "terminal_win_rate": ("beats SFT", "SFT 상대 승률"),
        "terminal_reward": ("proxy\nreward", "대리\n보상"),
        "terminal_kl": ("KL\nnats", "KL\nnat"),
        "terminal_capability": ("capa-\nbility", "능력"),
        "terminal_eos_rate": ("ended", "끝맺음"),
        "terminal_distinct_2": ("dis-\ntinct-2", "dis-\ntinct-2"),
        "terminal_mean_length": ("length\ntokens", "길이\n토큰"),
        "terminal_seconds": ("s per\nrun", "실행당\n초"),
        "terminal_peak_bytes": ("memory", "메모리"),
        "where": ("The whole report: {path}", "전체 보고서: {path}"),
    }
)
