"""Every sentence of the health card of a reward model, in English and Korean."""

from __future__ import annotations

from baro.pipeline.report.words import pairs

HEADLINES = pairs(
    {
        "good": ("This reward model is healthy.", "이 보상 모델은 건강합니다."),
        "warn": ("Usable, with care.", "조심하면 쓸 수 있습니다."),
        "bad": ("Do not optimise against it yet.", "아직 이 보상으로 최적화하지 마십시오."),
    }
)

FINDINGS = pairs(
    {
        "accuracy": (
            "It orders {mean} [{low}, {high}] of the held-out pairs as people did.",
            "따로 둔 쌍을 사람과 같은 순서로 놓은 비율: {mean} [{low}, {high}].",
        ),
        "chance": (
            "It orders {mean} [{low}, {high}] of the held-out pairs as people did: no better than a coin.",
            "따로 둔 쌍의 {mean} [{low}, {high}]만 사람과 같은 순서로 놓습니다. 동전 던지기와 다르지 않습니다.",
        ),
        "backwards": (
            "It orders only {mean} [{low}, {high}] as people did: chosen and rejected seem to be swapped.",
            "{mean} [{low}, {high}]만 사람과 같습니다. 선택과 거부가 뒤바뀐 것 같습니다.",
        ),
        "beats_length": (
            "It beats the length of the answer ({baseline}) by {gain} [{low}, {high}].",
            "답의 길이만 보는 기준({baseline})보다 {gain} [{low}, {high}] 낫습니다.",
        ),
        "not_beyond_length": (
            "It is not shown to know more than the length of the answer, which alone gets {baseline}: {gain}"
            " [{low}, {high}].",
            "답의 길이만 보아도 {baseline}인데, 그보다 더 안다는 증거가 없습니다: {gain} [{low}, {high}].",
        ),
        "beats_words": (
            "It beats a bag of words ({baseline}) by {gain} [{low}, {high}].",
            "순서 없는 단어 모음 기준({baseline})보다 {gain} [{low}, {high}] 낫습니다.",
        ),
        "not_beyond_words": (
            "It does not beat a bag of words, which gets {baseline} on the same pairs: {gain} [{low}, {high}]."
            " What it learnt needs no language model.",
            "순서 없는 단어 모음이 같은 쌍에서 {baseline}인데 이를 이기지 못합니다: {gain} [{low}, {high}]."
            " 배운 것이 언어 모델 없이도 알 수 있는 정도입니다.",
        ),
        "near_ceiling": (
            "People agree on {agreement} of the pairs, so no model can be right on more than {high}: it is there.",
            "사람끼리의 일치율이 {agreement}이므로 어떤 모델도 {high} 넘게 맞힐 수 없습니다. 이미 그 범위입니다.",
        ),
        "below_ceiling": (
            "People agree on {agreement} of the pairs: a perfect model would reach between {low} and {high}.",
            "사람끼리의 일치율은 {agreement}입니다. 완벽한 모델은 {low}에서 {high} 사이에 이릅니다.",
        ),
        "length_as_people": (
            "It prefers the longer answer in {model} of the pairs, people in {people}.",
            "더 긴 답을 고르는 비율: 모델 {model}, 사람 {people}.",
        ),
        "likes_length": (
            "It prefers the longer answer in {model} of the pairs, people only in {people}: optimising it will"
            " lengthen answers.",
            "더 긴 답을 고르는 비율이 {model}(사람 {people})입니다. 이 보상으로 학습하면 답이 길어집니다.",
        ),
        "likes_brevity": (
            "It prefers the longer answer in only {model} of the pairs, people in {people}: optimising it will"
            " shorten answers.",
            "더 긴 답을 고르는 비율이 {model}에 그칩니다(사람 {people}). 이 보상으로 학습하면 답이 짧아집니다.",
        ),
        "calibrated": (
            "It is as sure as it is right: calibration error {error}.",
            "확신한 만큼 맞힙니다. 보정 오차 {error}.",
        ),
        "too_sure": (
            "It is surer than it is right (calibration error {error}): divide its scores by {temperature}.",
            "맞히는 것보다 더 확신합니다(보정 오차 {error}). 점수를 나눌 온도: {temperature}.",
        ),
        "too_shy": (
            "It is right more often than it is sure (calibration error {error}): divide its scores by {temperature}.",
            "확신하는 것보다 더 맞힙니다(보정 오차 {error}). 점수를 나눌 온도: {temperature}.",
        ),
        "uncalibrated": (
            "Its confidence means little (calibration error {error}), and no temperature mends it.",
            "확신의 크기에 뜻이 거의 없으며(보정 오차 {error}) 온도로도 고칠 수 없습니다.",
        ),
        "sees_harm": (
            "It scores answers lower that were cut, said twice, shuffled, scrambled or meant for another prompt.",
            "잘리거나, 두 번 말하거나, 뒤섞이거나, 다른 질문에 대한 답에는 더 낮은 점수를 줍니다.",
        ),
        "blind_to_cut": (
            "Half an answer, cut off, scores below the whole in only {below} of the cases.",
            "중간에 잘린 답이 온전한 답보다 낮은 점수를 받는 경우가 {below}뿐입니다.",
        ),
        "blind_to_twice": (
            "The same answer said twice scores below the answer in only {below} of the cases: repetition pays.",
            "같은 답을 두 번 말했을 때 점수가 내려가는 경우가 {below}뿐입니다. 반복이 이득이 됩니다.",
        ),
        "blind_to_other_prompt": (
            "A good answer to another question scores lower in only {below} of the cases: it hardly reads the prompt.",
            "다른 질문에 대한 좋은 답이 더 낮은 점수를 받는 경우가 {below}뿐입니다. 질문을 거의 읽지 않습니다.",
        ),
        "blind_to_shuffled": (
            "The same words in random order score lower in only {below} of the cases: it hardly reads their order.",
            "단어를 뒤섞었을 때 점수가 내려가는 경우가 {below}뿐입니다. 순서를 거의 읽지 않습니다.",
        ),
        "blind_to_scrambled": (
            "Words with scrambled letters score lower in only {below} of the cases: text it never saw can please it.",
            "글자를 뒤섞었을 때 점수가 내려가는 경우가 {below}뿐입니다. 본 적 없는 글도 높은 점수를 받을 수 있습니다.",
        ),
        "order_matters": (
            "Which answer is read first changes the order of pairs (agreement {agreement}).",
            "어느 답을 먼저 읽느냐에 따라 순서가 바뀝니다(일치 {agreement}).",
        ),
        "steady": (
            "The same said otherwise keeps {agreement} of the pairs in order.",
            "같은 뜻을 달리 말해도 순서를 지킨 쌍: {agreement}.",
        ),
        "jumpy": (
            "The same said otherwise keeps only {agreement} of the pairs in order.",
            "같은 뜻을 달리 말하면 쌍의 {agreement}만 순서를 지킵니다.",
        ),
        "more_labels_help": (
            "More labels help: the last doubling, to {pairs} pairs, gained {gain} [{low}, {high}].",
            "라벨을 늘리면 나아집니다. 마지막으로 두 배({pairs}쌍)로 늘렸을 때 {gain} [{low}, {high}] 올랐습니다.",
        ),
        "labels_enough": (
            "More of the same labels will hardly help: the last doubling, to {pairs} pairs, gained {gain}"
            " [{low}, {high}].",
            "같은 라벨을 더 모아도 거의 나아지지 않습니다. 마지막 두 배({pairs}쌍)의 이득은 {gain} [{low}, {high}].",
        ),
        "labels_unclear": (
            "Whether more labels help cannot be told here: the last doubling, to {pairs} pairs, gained {gain}"
            " [{low}, {high}].",
            "라벨을 늘리면 나아지는지 알 수 없습니다. 마지막 두 배({pairs}쌍)의 이득: {gain} [{low}, {high}].",
        ),
    }
)

CARD = pairs(
    {
        "title": ("Health card: {model}", "건강 카드: {model}"),
        "made_with": (
            "{pairs} held-out pairs of {prompts} prompts · {left_out} left out because their prompt was trained on"
            " · 95 % intervals over prompts",
            "따로 둔 {pairs}쌍, 프롬프트 {prompts}개 · 학습에 쓴 프롬프트라서 뺀 쌍 {left_out}개"
            " · 구간은 프롬프트 단위 95 %",
        ),
        "nav_result": ("Verdict", "판정"),
        "nav_compared": ("Against baselines", "기준과 비교"),
        "nav_calibration": ("Calibration", "보정"),
        "nav_where": ("Where it is right", "어디서 맞나"),
        "nav_taste": ("Taste", "취향"),
        "nav_tricks": ("Spoiled answers", "망친 답"),
        "nav_labels": ("Labels", "라벨"),
        "judged": ("who judges", "누가 판단하나"),
        "compared": ("Against what it has to beat", "넘어야 할 것과 비교"),
        "compared_lead": (
            "The same pairs for all. Length and bag of words are Bradley–Terry models that see no prompt. {learnt}"
            " The line in each bar is one half: a coin.",
            "모두 같은 쌍입니다. 길이와 단어 모음은 프롬프트를 보지 않는 브래들리–테리 모델입니다. {learnt}"
            " 막대 안의 세로선은 절반, 곧 동전 던지기입니다.",
        ),
        "learnt_training": (
            "They learnt from the model's own {pairs} training pairs.",
            "보상 모델의 학습 쌍 {pairs}개로 배웠습니다.",
        ),
        "learnt_crossed": (
            "They learnt from held-out pairs of other prompts, for the model's training pairs are not at hand.",
            "보상 모델의 학습 쌍이 없어, 따로 둔 쌍 가운데 다른 프롬프트의 것으로 배웠습니다.",
        ),
        "this_model": ("this reward model", "이 보상 모델"),
        "length": ("length alone", "길이만"),
        "words": ("bag of words", "단어 모음"),
        "ceiling": ("best possible", "가능한 최고"),
        "accuracy": ("accuracy", "정확도"),
        "pairs": ("pairs", "쌍"),
        "calibration": ("As sure as it is right?", "확신한 만큼 맞히나?"),
        "calibration_lead": (
            "The Bradley–Terry model says with probability σ(gap) that one answer is better. On the dashed line it is"
            " right as often as it says; below it, less often. Calibration error {error}; mean -log σ {loss} nats, a"
            " coin has 0.693.",
            "브래들리–테리 모델은 한 답이 나을 확률을 σ(점수 차)로 말합니다. 점선 위에 있으면 말한 만큼 맞히고, 아래에"
            " 있으면 그보다 덜 맞힙니다. 보정 오차 {error}, 평균 -log σ {loss} nat(동전은 0.693).",
        ),
        "mended": (
            "Divided by a temperature of {temperature}: calibration error {error}, {loss} nats.",
            "온도 {temperature}: 보정 오차 {error}, {loss} nat.",
        ),
        "axis_confidence": ("confidence", "확신"),
        "axis_right": ("share ordered as people did", "사람과 같은 순서인 비율"),
        "chart_reliability": ("Confidence and accuracy: {values}", "확신과 정확도: {values}"),
        "where": ("Where it is right", "어디서 맞나"),
        "where_lead": (
            "A model that only likes long answers is right where the preferred one is longer, and wrong elsewhere.",
            "긴 답만 좋아하는 모델은 선택된 답이 더 길 때만 맞고, 그 밖에서는 틀립니다.",
        ),
        "by_length": ("By length of the preferred answer", "선택된 답의 길이별"),
        "by_source": ("By source", "출처별"),
        "by_margin": ("By margin of the data", "자료의 차이(margin)별"),
        "by_confidence": ("By gap of the scores, logits", "점수 차(로짓)별"),
        "much_shorter": ("much shorter", "훨씬 짧음"),
        "shorter": ("shorter", "짧음"),
        "equal": ("about equal", "비슷함"),
        "longer": ("longer", "김"),
        "much_longer": ("much longer", "훨씬 김"),
        "taste": ("What it likes, and what people like", "모델의 취향과 사람의 취향"),
        "taste_lead": (
            "Where the two answers differ in a trait: how often the one with more of it is preferred.",
            "두 답이 어떤 특성에서 다를 때, 그 특성이 더한 답을 고르는 비율입니다.",
        ),
        "trait": ("Trait", "특성"),
        "trait_length": ("longer", "더 긴 답"),
        "trait_items": ("more list items", "목록 항목이 더 많음"),
        "trait_refusal": ("refuses", "거절함"),
        "by_model": ("model prefers it", "모델이 고름"),
        "by_people": ("people prefer it", "사람이 고름"),
        "rank_correlation": ("rank correlation with the score", "점수와의 순위 상관"),
        "tricks": ("Preferred answers, spoiled", "선택된 답을 망쳐 보면"),
        "tricks_lead": (
            "Each preferred answer is made worse on purpose. A reward that does not fall here is a hole that"
            " optimisation will find.",
            "선택된 답을 일부러 나쁘게 만듭니다. 여기서 점수가 내려가지 않으면, 최적화가 찾아낼 구멍입니다.",
        ),
        "spoiling": ("Spoiled how", "망친 방법"),
        "below": ("scored below the answer", "원래 답보다 낮은 점수"),
        "change": ("mean change, sd of scores", "평균 변화(점수 표준편차)"),
        "cut": ("cut in half, without an end", "반으로 잘리고 끝이 없음"),
        "twice": ("said twice", "두 번 말함"),
        "other_prompt": ("a good answer to another prompt", "다른 프롬프트에 대한 좋은 답"),
        "shuffled": ("words in random order", "단어 순서를 섞음"),
        "scrambled": ("letters of every word in random order", "단어마다 글자를 섞음"),
        "stability": (
            "What must not matter: reading the pair in the other order keeps {order} of {pairs} pairs and moves a score"
            " by at most {order_moved} sd; saying the same otherwise keeps {rephrased} and moves a score by"
            " {rephrased_moved} sd on average.",
            "달라지면 안 되는 것: 쌍을 반대 순서로 읽으면 {pairs}쌍 가운데 {order}가 그대로이고 점수는 최대"
            " {order_moved} 표준편차 움직입니다. 같은 뜻을 달리 말하면 {rephrased}가 그대로이고 평균"
            " {rephrased_moved} 표준편차 움직입니다.",
        ),
        "labels": ("Do more labels help?", "라벨을 더 모으면 나아지나?"),
        "labels_lead": (
            "The same training on parts of the same pairs, each within the next, judged on the same held-out pairs.",
            "같은 학습을 같은 쌍의 일부(각각 다음 것에 포함됨)로 하고, 같은 따로 둔 쌍으로 쟀습니다.",
        ),
        "no_curve": (
            "No learning curve: it needs the run.json of baro reward and its data, or was not asked for (curve=yes).",
            "학습 곡선 없음: baro reward의 run.json과 그 자료가 필요하거나, 요청하지 않았습니다(curve=yes).",
        ),
        "no_ceiling": (
            "The noise ceiling is unknown: no pair was judged by two people. A column votes, or the same pair in"
            " several rows, would tell.",
            "사람의 불일치에서 오는 한계를 알 수 없습니다. 두 사람이 판단한 쌍이 없습니다. votes 열이나 같은 쌍의 여러"
            " 행이 있으면 알 수 있습니다.",
        ),
        "ceiling_known": (
            "Two people agree on {agreement} of {pairs} pairs judged twice, so a perfect model would be right on {low}"
            " to {high}.",
            "두 번 판단된 {pairs}쌍에서 두 사람의 일치율은 {agreement}입니다. 완벽한 모델의 정확도는 {low}에서"
            " {high} 사이입니다.",
        ),
        "chart_curve": ("Accuracy by number of training pairs: {values}", "학습 쌍 수에 따른 정확도: {values}"),
        "axis_pairs": ("training pairs", "학습 쌍"),
    }
)
