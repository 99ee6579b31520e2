"""What each alarm means and what to do about it, in English and Korean."""

from __future__ import annotations

WORDS = {
    "reward_hacking": {
        "en": "The reward rose from {proxy_before:.2f} to {proxy:.2f}, but a score it was not trained on does not"
        " follow: best {best:.2f}, now {now:.2f}.",
        "ko": "보상은 {proxy_before:.2f}에서 {proxy:.2f}로 올랐지만 학습에 쓰지 않은 점수는 따라오지 않습니다."
        " 최고 {best:.2f}, 지금 {now:.2f}.",
        "remedy_en": "Raise kl_coef, stop earlier (on_alarm=rewind), or train the reward model on more pairs.",
        "remedy_ko": "kl_coef를 올리거나, 더 일찍 멈추거나(on_alarm=rewind), 보상 모델을 더 많은 쌍으로 학습하십시오.",
    },
    "length_exploit": {
        "en": "Answers went from {before:.1f} to {now:.1f} tokens, and length explains a good part of the reward.",
        "ko": "답의 길이가 {before:.1f}에서 {now:.1f}토큰으로 바뀌었고, 보상의 상당 부분이 길이로 설명됩니다.",
        "remedy_en": "Train the reward model with length_debias=1, raise kl_coef, or shorten max_completion_length.",
        "remedy_ko": "보상 모델을 length_debias=1로 학습하거나, kl_coef를 올리거나, max_completion_length를"
        " 줄이십시오.",
    },
    "collapse": {
        "en": "Answers collapse. What was {before:.2f} at the start is {now:.2f} now (distinct tokens, entropy, ended"
        " answers or repeated answers).",
        "ko": "답이 무너지고 있습니다. 처음 {before:.2f}이던 값이 {now:.2f}입니다(서로 다른 토큰, 엔트로피, 끝맺은"
        " 답, 반복된 답 가운데 하나).",
        "remedy_en": "Lower learning_rate, raise kl_coef or temperature, or use more different prompts.",
        "remedy_ko": "learning_rate를 낮추거나, kl_coef 또는 temperature를 올리거나, 더 다양한 프롬프트를 쓰십시오.",
    },
    "kl_runaway": {
        "en": "The policy is {kl:.1f} nats per answer away from its reference and moves {pace:.2f} more each rollout;"
        " it has gained {bought:.0%} of what such a drift can buy.",
        "ko": "정책이 기준 모델에서 답마다 {kl:.1f} nat 떨어졌고, 한 번에 {pace:.2f} nat씩 더 멀어집니다. 그만큼"
        " 멀어지며 얻을 수 있는 것의 {bought:.0%}만 얻었습니다.",
        "remedy_en": "Raise kl_coef or give kl_target; lower learning_rate or num_ppo_epochs.",
        "remedy_ko": "kl_coef를 올리거나 kl_target을 주십시오. learning_rate나 num_ppo_epochs를 낮추어도 됩니다.",
    },
    "value_useless": {
        "en": "The value model explains {explained:.0%} of the returns: no better than a constant.",
        "ko": "가치 모델이 보상의 {explained:.0%}만 설명합니다. 상수보다 나을 것이 없습니다.",
        "remedy_en": "Raise value_learning_rate, or start the value model from the reward model.",
        "remedy_ko": "value_learning_rate를 올리거나, 가치 모델을 보상 모델에서 시작하십시오.",
    },
    "sampler_trainer_mismatch": {
        "en": "Sampler and trainer differ by {nats:.3f} nats per token: the ratios of PPO are wrong from the start.",
        "ko": "표본 추출과 학습의 로그 확률이 토큰마다 {nats:.3f} nat 다릅니다. PPO의 비율이 처음부터 틀립니다.",
        "remedy_en": "Use one dtype for both (dtype=float32), and the same temperature.",
        "remedy_ko": "둘 다 같은 dtype(dtype=float32)과 같은 temperature를 쓰십시오.",
    },
    "stale_reference": {
        "en": "Before the first update the policy is already {kl:.2f} nats per answer from its reference.",
        "ko": "첫 갱신 전인데 정책이 기준 모델에서 이미 답마다 {kl:.2f} nat 떨어져 있습니다.",
        "remedy_en": "Check ref_model (or remove cache_dir): it should be the model that training starts from.",
        "remedy_ko": "ref_model을 확인하십시오(또는 cache_dir를 지우십시오). 학습을 시작하는 그 모델이어야 합니다.",
    },
    "chosen_likelihood_falls": {
        "en": "The margin grows, but the chosen answers themselves lose likelihood: {before:.2f} to {now:.2f} nats per"
        " token against the reference.",
        "ko": "차이는 커지지만 선택된 답 자체의 가능도가 떨어집니다. 토큰마다 {before:.2f}에서 {now:.2f} nat.",
        "remedy_en": "Lower learning_rate, raise beta, use loss_type=sigmoid_norm, or fine-tune on the chosen first.",
        "remedy_ko": "learning_rate를 낮추거나, beta를 올리거나, loss_type=sigmoid_norm을 쓰거나, 먼저 선택된 답으로"
        " 미세조정하십시오.",
    },
    "ensemble_disagrees": {
        "en": "The reward models disagree by {now:.2f}, where it was {before:.2f} at the start: answers have left what"
        " they know.",
        "ko": "보상 모델들의 의견 차이가 처음 {before:.2f}에서 {now:.2f}로 커졌습니다. 답이 모델이 아는 범위를"
        " 벗어났습니다.",
        "remedy_en": "Use the ensemble's cautious score (reward_combine=lcb), or label some of the new answers.",
        "remedy_ko": "앙상블의 조심스러운 점수(reward_combine=lcb)를 쓰거나, 새 답 일부에 라벨을 다십시오.",
    },
}
