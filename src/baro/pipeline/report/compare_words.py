"""Every sentence and caption of the page of a comparison, in English and Korean."""

from __future__ import annotations

from baro.pipeline.report.words import pairs

COMPARE = pairs(
    {
        "title": ("Comparison: {recipe}", "비교: {recipe}"),
        # The choice: the one sentence that the page is for.
        "choose": (
            "Choose {name}: with {time} for each method, it is the best.",
            "{name} 방법을 고르십시오. 방법마다 {time}을 들였을 때 가장 낫습니다.",
        ),
        "choose_one_of": (
            "{names} cannot be told apart. If you need one, take {name}: it stays nearest to {reference}.",
            "{names}: 서로 우열을 가릴 수 없습니다. 하나를 고른다면 {reference}에서 가장 덜 벗어난 {name}입니다.",
        ),
        "keep": (
            "Keep {name}: no method is shown to be better with {time} each.",
            "{name} 그대로 두십시오. 방법마다 {time}으로는 더 낫다고 확인된 방법이 없습니다.",
        ),
        "no_choice": (
            "No choice can be made on this evidence: there was no judge.",
            "심판이 없어 이 근거로는 고를 수 없습니다.",
        ),
        "how": (
            "{methods} methods from one SFT model, on the same data, {time} of training for each: {trials} settings"
            " tried"
            " on {tuning} prompts of their own, the best one run with {seeds} seeds and reported on {prompts} others.",
            "같은 SFT 모델과 같은 자료에서 {methods}가지 방법을 견주었습니다. 방법마다 학습에 {time}을 주어 따로 둔"
            " 프롬프트"
            " {tuning}개로 설정 {trials}가지를 시험하고, 가장 좋은 설정을 시드 {seeds}개로 돌려 다른 프롬프트"
            " {prompts}개로"
            " 보고합니다.",
        ),
        "intervals": (
            "Intervals are 95 % bootstraps over prompts and seeds together. {seeds} seeds say little about a"
            " method’s luck:"
            " the small dots show each of them.",
            "구간은 프롬프트와 시드를 함께 재추출한 95 % 부트스트랩입니다. 시드 {seeds}개로는 운의 폭을 다 알 수"
            " 없으므로"
            " 작은 점으로 하나하나 보입니다.",
        ),
        "nav_duels": ("Head to head", "맞대결"),
        "nav_tuning": ("Tuning", "설정 탐색"),
        "nav_compute": ("Compute", "계산량"),
        "duels": ("Head to head", "맞대결"),
        "duels_lead": (
            "By how much the method on the left scores higher than the one above, on the same prompts. Coloured where"
            " the interval of this difference, over prompts and seeds, leaves out 0. It is a finer test than the one"
            " above, which asks that two intervals do not overlap at all; among many pairs one in twenty looks clear"
            " by chance.",
            "왼쪽 방법의 점수가 위쪽 방법보다 얼마나 높은지, 같은 프롬프트에서 견준 값입니다. 프롬프트와 시드에 걸친 이"
            " 차이의 구간이 0을 벗어나면 색을 입혔습니다. 두 구간이 전혀 겹치지 않아야 한다는 위의 기준보다 섬세한"
            " 검정이지만, 쌍이 많으면 스물에 하나는 우연히 뚜렷해 보입니다.",
        ),
        "apart": ("clear", "뚜렷함"),
        "together": ("not told apart", "가릴 수 없음"),
        "against": ("against", "상대"),
        "tuning": ("What was tried", "무엇을 시험했나"),
        "tuning_lead": (
            "Every method has the same number of trials: first as the recipe says, then its one or two most telling"
            " settings up and down. Scores are those of the {tuning} tuning prompts, with another seed than is"
            " reported.",
            "모든 방법에 같은 횟수를 주었습니다. 먼저 레시피 그대로, 다음은 그 방법에서 가장 중요한 설정 한둘을 올리고"
            " 내립니다. 점수는 튜닝용 프롬프트 {tuning}개에서, 보고할 때와 다른 시드로 잰 것입니다.",
        ),
        "chosen": ("chosen", "선택"),
        "at_the_edge": (
            "The best trial lies at the edge of what was tried: more trials might find better.",
            "가장 좋은 설정이 시험한 범위의 끝에 있습니다. 더 시험하면 더 나을 수 있습니다.",
        ),
        "lent": (
            "Not in the recipe: data and settings taken over from {stage}.",
            "레시피에 없어 {stage} 단계의 자료와 설정을 물려받았습니다.",
        ),
        "compute": ("What it cost", "얼마나 들었나"),
        "compute_lead": (
            "Seconds of work, of {time} for each method; waiting for other programs is left out. The speed of each"
            " was measured first, and every run"
            " got the"
            " length that fits its share. What only a method’s own way needs is in its budget, once: the training"
            " of the"
            " reward model, or the reference’s log-probabilities of all pairs. Trials and seeds are runs of the"
            " same length.",
            "방법마다 {time} 가운데 실제로 일한 시간입니다(다른 프로그램을 기다린 시간은 뺍니다). 먼저 방법별"
            " 속도를 재고, 몫에 맞는 길이로 돌렸습니다. 그"
            " 방법에만 필요한"
            " 것, 곧 보상 모델의 학습이나 기준 모델이 모든 쌍에 매긴 로그확률도 한 번 예산에 들어갑니다. 시험과"
            " 시드 실행은 길이가"
            " 같습니다.",
        ),
        "method": ("Method", "방법"),
        "time_of_all": ("Training time", "학습 시간"),
        "shared": ("reward model or reference", "보상 모델 또는 기준"),
        "trials": ("trials", "시험"),
        "seeds": ("seeds", "시드"),
        "one_run": ("One run", "한 번 실행"),
        "length": ("Length", "길이"),
        "peak": ("Peak memory", "최대 메모리"),
        "max_steps": ("{count} updates", "업데이트 {count}회"),
        "total_episodes": ("{count} answers", "답변 {count}개"),
        "max_samples": ("{count} prompts × {answers}", "프롬프트 {count}개 × {answers}"),
        "of_budget": ("of {time}", "{time} 가운데"),
        "learning_rate": ("lr {value}", "학습률 {value}"),
        "beta": ("β {value}", "β {value}"),
        "kl_coef": ("KL price {value}", "KL 값 {value}"),
        "num_generations": ("{value} answers each", "답변 {value}개씩"),
        "no_judge_warning": (
            "No judge was given: the reward model itself chose the settings and counts the wins, which cannot show"
            " reward"
            " hacking.",
            "심판이 없어 보상 모델이 설정을 고르고 승패를 셌습니다. 이 점수로는 보상 해킹을 알아볼 수 없습니다.",
        ),
        "few_prompts": (
            "Only {count} prompts are reported: the intervals are wide.",
            "프롬프트 {count}개로만 보고하여 구간이 넓습니다.",
        ),
        "few_seeds": (
            "With {count} seeds the luck of training is hardly measured.",
            "시드 {count}개로는 학습의 운을 거의 잴 수 없습니다.",
        ),
        "under_budget": (
            "{name} used {share} of its time: an update or a round does not fit the rest, or the machine was busier"
            " than"
            " when the speed was measured.",
            "{name}: 주어진 시간의 {share}를 썼습니다. 남은 시간에 맞는 업데이트나 라운드가 없거나, 속도를 잴 때와"
            " 기계가"
            " 다르게 바빴습니다.",
        ),
        "again_lead": (
            "The same command goes on where it stopped, and what is finished is not done again.",
            "같은 명령은 멈춘 곳에서 이어지고, 끝난 것은 다시 하지 않습니다.",
        ),
    }
)
