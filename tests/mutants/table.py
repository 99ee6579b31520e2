"""Bugs the field has shipped, each as a small change of our code that a named test must notice.

The incidents are public: transformers#34191 is github.com/huggingface/transformers/issues/34191, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug.

    Attributes:
        name: what goes wrong, in a few words.
        incident: its number in the table of incidents, and where it was shipped.
        file: file below src/baro.
        old: text that occurs exactly once in the file.
        new: what it becomes.
        test: test file or node below tests/ that must fail.
    """

    name: str
    incident: str
    file: str
    old: str
    new: str
    test: str


MUTANTS = [
    # --- core
    Mutant(
        name="a mean of the means of micro-batches",
        incident="T1 transformers#34191, trl#2175, axolotl#2262",
        file="core/types.py",
        old="return Mean(self.total + other.total, self.count + other.count)",
        new="return Mean(self.total / self.count + other.total / other.count, 2)",
        test="core/test_types.py",
    ),
    Mutant(
        name="masked by multiplication: NaN * 0 is NaN",
        incident="T11 OpenRLHF#1240, verl#2377",
        file="core/masked.py",
        old="kept = torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))",
        new="kept = values * mask.to(values.dtype)",
        test="core/test_masked.py",
    ),
    Mutant(
        name="a fully masked row divides 0 by 0",
        incident="T20 trl#3398, direct-preference-optimization's helper",
        file="core/masked.py",
        old="masked_sum(values, mask, dim) / count.clamp(min=1)",
        new="masked_sum(values, mask, dim) / count",
        test="core/test_masked.py",
    ),
    # --- preference losses
    Mutant(
        name="chosen and rejected swapped inside the sigmoid",
        incident="DPO paper, equation 21 of the appendix",
        file="objectives/preference.py",
        old="return -logsigmoid(beta * (chosen_ratios - rejected_ratios))",
        new="return -logsigmoid(beta * (rejected_ratios - chosen_ratios))",
        test="objectives/test_preference.py",
    ),
    Mutant(
        name="the reward loss overflows at large gaps",
        incident="OpenRLHF LogExpLoss",
        file="objectives/preference.py",
        old="return -logsigmoid(chosen - rejected - margin)",
        new="return torch.log(1 + torch.exp(-(chosen - rejected - margin)))",
        test="objectives/test_preference.py",
    ),
    Mutant(
        name="the margin is accepted and ignored",
        incident="OpenRLHF LogExpLoss",
        file="objectives/preference.py",
        old="return -logsigmoid(chosen - rejected - margin)",
        new="return -logsigmoid(chosen - rejected)",
        test="objectives/test_preference.py",
    ),
    Mutant(
        name="an answer without tokens gives 0 / 0",
        incident="T20 trl#3398, #2332, #3601",
        file="objectives/preference.py",
        old="return sums / lengths.clamp(min=1)",
        new="return sums / lengths",
        test="objectives/test_preference.py",
    ),
    Mutant(
        name="IPO with tau where 2 tau belongs",
        incident="T42 'computation as per definition' (trl#3043, #5731)",
        file="objectives/preference.py",
        old="1 / (2 * tau)",
        new="1 / tau",
        test="objectives/test_preference.py",
    ),
    Mutant(
        name="the odds ratio as a ratio of probabilities",
        incident="T10 trl#2502 (ORPO)",
        file="objectives/preference.py",
        old="return -logsigmoid(_log_odds(chosen_means) - _log_odds(rejected_means))",
        new="return -logsigmoid(chosen_means - rejected_means)",
        test="objectives/test_preference.py",
    ),
    # --- policy losses
    Mutant(
        name="the clip rewards what it should stop",
        incident="T42, a minimum of losses instead of a maximum",
        file="objectives/policy.py",
        old="return torch.maximum(free, clipped)",
        new="return torch.minimum(free, clipped)",
        test="objectives/test_policy.py",
    ),
    Mutant(
        name="the value loss without its half",
        incident="T41 verl#2016",
        file="objectives/policy.py",
        old="return 0.5 * torch.maximum(free,",
        new="return torch.maximum(free,",
        test="objectives/test_policy.py",
    ),
    # --- divergences
    Mutant(
        name="k1 with the wrong sign",
        incident="T37 trl#262, rlhf-book policy_gradients",
        file="objectives/kl.py",
        old="    return log_p - log_q\n",
        new="    return log_q - log_p\n",
        test="objectives/test_kl.py",
    ),
    Mutant(
        name="k3 of the inverse ratio",
        incident="T37 OpenRLHF#773, rlhf-book policy_gradients",
        file="objectives/kl.py",
        old="log_ratio = log_q - log_p",
        new="log_ratio = log_p - log_q",
        test="objectives/test_kl.py",
    ),
    Mutant(
        name="drift is paid for instead of charged",
        incident="T37 trl#2277, #1180",
        file="objectives/kl.py",
        old="return -coefficient * k1(log_probs, reference)",
        new="return coefficient * k1(log_probs, reference)",
        test="objectives/test_kl.py",
    ),
    Mutant(
        name="the adaptive price falls when the policy drifts",
        incident="T37, a controller of the wrong sign",
        file="objectives/kl.py",
        old="error = min(max(kl / target - 1, -0.2), 0.2)",
        new="error = min(max(1 - kl / target, -0.2), 0.2)",
        test="objectives/test_kl.py",
    ),
    # --- credit
    Mutant(
        name="the state after the last token is worth something",
        incident="T40 verl#1850",
        file="objectives/advantage.py",
        old="next_advantage, next_value = zero, zero",
        new="next_advantage, next_value = zero, values[:, -1]",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="values of padding leak into advantages",
        incident="T39 verl#1527, verl#1758 (value mask)",
        file="objectives/advantage.py",
        old="next_value = torch.where(acts[:, t], values[:, t], next_value)",
        new="next_value = values[:, t]",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="a sentinel of 1.0 in the padding",
        incident="T24 trl#2281, #2496",
        file="objectives/advantage.py",
        old="advantages[:, t] = torch.where(acts[:, t], advantage, zero)",
        new="advantages[:, t] = torch.where(acts[:, t], advantage, zero + 1)",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="the score lands one token early",
        incident="T12 verl#3287, trl#1781",
        file="objectives/advantage.py",
        old="(acts.flip(1).cumsum(1).flip(1) == 1)",
        new="(acts.flip(1).cumsum(1).flip(1) == 2)",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="the sign of the score is flipped",
        incident="the sign flip of Ziegler et al. 2019",
        file="objectives/advantage.py",
        old="rewards + scores[:, None].to(rewards.dtype)",
        new="rewards - scores[:, None].to(rewards.dtype)",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="whitening adds the mean back when it should not",
        incident="T39 torchtune rlhf/rewards.py",
        file="objectives/advantage.py",
        old="white + mean if keep_mean else white,",
        new="white if keep_mean else white + mean,",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="whitening statistics count the padding",
        incident="T39 OpenRLHF#1250 (masked_normalize)",
        file="objectives/advantage.py",
        old="mean = masked_mean(values, mask)",
        new="mean = masked_mean(values, torch.ones_like(mask))",
        test="objectives/test_advantage.py",
    ),
    Mutant(
        name="the variance of a sample instead of the population",
        incident="T39, whitening of lm-human-preferences re-written with torch's default",
        file="core/masked.py",
        old="return masked_mean((values - masked_mean(values, mask)).square(), mask)",
        new="return masked_sum((values - masked_mean(values, mask)).square(), mask) / (mask.sum() - 1).clamp(min=1)",
        test="objectives/test_advantage.py",
    ),
]
