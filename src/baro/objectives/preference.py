"""Losses on preferences: for a reward model (scores) and directly for a policy (log-ratios to its reference).

P pairs, B rows of K ranked answers. Everything is unreduced: a pair in, a number out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

# --- reward models ------------------------------------------------------------------------------------------------


def bradley_terry(chosen: Tensor, rejected: Tensor, *, margin: Tensor | float = 0.0) -> Tensor:
    """Negative log-likelihood that the chosen answer wins: -ln sigma(r_w - r_l - m).

    Args:
        chosen: (P,) scores of the chosen answers.
        rejected: (P,) scores of the rejected answers.
        margin: scalar or (P,), how far apart the scores are asked to be, in score units.

    Returns:
        (P,) nats. Finite for any finite scores.

    Source: Stiennon et al. 2020 (2009.01325), section 3.4; the margin: Llama 2 (2307.09288), eq. 2.
    """
    return -logsigmoid(chosen - rejected - margin)


def centering(chosen: Tensor, rejected: Tensor) -> Tensor:
    """(r_w + r_l)^2, which pulls the scores of a pair towards mean 0 without touching their difference.

    Args:
        chosen: (P,) scores.
        rejected: (P,) scores.

    Returns:
        (P,) squared score units, to be added with a small weight (0.01).

    Source: Eisenstein et al. 2023 (2312.09244), eq. 2.
    """
    return (chosen + rejected).square()


def plackett_luce(scores: Tensor) -> Tensor:
    """Negative log-likelihood of a whole ranking: the best is picked first, then the best of the rest, and so on.

    Args:
        scores: (B, K), best answer first, K >= 2.

    Returns:
        (B,) nats, -sum_k [s_k - ln sum_{j >= k} exp(s_j)]. For K = 2 this is `bradley_terry`.

    Source: Plackett 1975; Rafailov et al. 2023 (2305.18290), eq. 18.
    """
    rest = scores.flip(-1).logcumsumexp(-1).flip(-1)
    return (rest - scores).sum(-1)


def all_pairs(scores: Tensor) -> Tensor:
    """Mean Bradley-Terry loss over the C(K, 2) pairs of a ranking; K forward passes serve all of them.

    Args:
        scores: (B, K), best answer first, K >= 2.

    Returns:
        (B,) nats.

    Source: Ouyang et al. 2022 (2203.02155), eq. 1.
    """
    better, worse = torch.triu_indices(scores.shape[-1], scores.shape[-1], offset=1, device=scores.device)
    return bradley_terry(scores[..., better], scores[..., worse]).mean(-1)


# --- policies: ratios are log-probabilities of whole answers, policy minus reference -------------------------------


def per_token(sums: Tensor, lengths: Tensor) -> Tensor:
    """Sequence sums as per-token means; an answer without tokens gives 0.

    Args:
        sums: (S,) log-probabilities or log-ratios summed over the answer, nats.
        lengths: (S,) int64, tokens summed over.

    Returns:
        (S,) nats per token. `dpo` on these is length-normalised DPO (Lambert et al. 2024, 2411.15124).
    """
    return sums / lengths.clamp(min=1)


def dpo(chosen_ratios: Tensor, rejected_ratios: Tensor, *, beta: float) -> Tensor:
    """Direct preference optimisation: -ln sigma(beta h), h = the difference of the two log-ratios.

    Args:
        chosen_ratios: (P,) nats, ln pi(y_w|x) - ln pi_ref(y_w|x).
        rejected_ratios: (P,) nats, the same of the rejected answers.
        beta: strength of the tie to the reference, > 0.

    Returns:
        (P,) nats; ln 2 where policy and reference agree.

    Source: Rafailov et al. 2023 (2305.18290), eq. 7.
    """
    return -logsigmoid(beta * (chosen_ratios - rejected_ratios))


def ipo(chosen_ratios: Tensor, rejected_ratios: Tensor, *, tau: float) -> Tensor:
    """Identity preference optimisation: (h - 1/(2 tau))^2, whose optimum is finite even for certain preferences.

    Args:
        chosen_ratios: (P,) nats, summed over the answer or its `per_token` means.
        rejected_ratios: (P,) nats, the same of the rejected answers.
        tau: strength of the tie to the reference, > 0.

    Returns:
        (P,) nats squared; 1/(4 tau^2) where policy and reference agree.

    Source: Azar et al. 2023 (2310.12036), eq. 17.
    """
    return (chosen_ratios - rejected_ratios - 1 / (2 * tau)).square()


def cdpo(chosen_ratios: Tensor, rejected_ratios: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """Conservative DPO: (1 - e) L(h) + e L(-h), which stops pushing at the confidence 1 - e.

    Args:
        chosen_ratios: (P,) nats, as for `dpo`.
        rejected_ratios: (P,) nats, as for `dpo`.
        beta: as for `dpo`.
        label_smoothing: e, the probability in [0, 0.5) that a label is flipped.

    Returns:
        (P,) nats.

    Source: Mitchell 2023, "A note on DPO with noisy preferences and relationship to IPO".
    """
    as_labelled = dpo(chosen_ratios, rejected_ratios, beta=beta)
    flipped = dpo(rejected_ratios, chosen_ratios, beta=beta)
    return (1 - label_smoothing) * as_labelled + label_smoothing * flipped


def rdpo(chosen_ratios: Tensor, rejected_ratios: Tensor, *, beta: float, label_smoothing: float) -> Tensor:
    """Robust DPO: [(1 - e) L(h) - e L(-h)] / (1 - 2e), on average over flips the loss of the clean labels.

    Args:
        chosen_ratios: (P,) nats, as for `dpo`.
        rejected_ratios: (P,) nats, as for `dpo`.
        beta: as for `dpo`.
        label_smoothing: e, the probability in [0, 0.5) that a label is flipped.

    Returns:
        (P,) nats; may be negative.

    Source: Chowdhury et al. 2024 (2403.00409), the robust loss.
    """
    as_labelled = dpo(chosen_ratios, rejected_ratios, beta=beta)
    flipped = dpo(rejected_ratios, chosen_ratios, beta=beta)
    return ((1 - label_smoothing) * as_labelled - label_smoothing * flipped) / (1 - 2 * label_smoothing)


def hinge(chosen_ratios: Tensor, rejected_ratios: Tensor, *, beta: float) -> Tensor:
    """Sequence likelihood calibration on log-ratios: max(0, 1 - beta h).

    Args:
        chosen_ratios: (P,) nats, as for `dpo`.
        rejected_ratios: (P,) nats, as for `dpo`.
        beta: 1 / beta is the margin in nats, > 0.

    Returns:
        (P,); 1 where policy and reference agree, 0 beyond the margin.

    Source: Zhao et al. 2023 (2305.10425); with log-ratios: Liu et al. 2023 (2309.06657), hinge-norm.
    """
    return relu(1 - beta * (chosen_ratios - rejected_ratios))


def simpo(chosen_means: Tensor, rejected_means: Tensor, *, beta: float, gamma: float) -> Tensor:
    """Reference-free preference loss on per-token means: -ln sigma(beta (lp_w - lp_l) - gamma).

    Args:
        chosen_means: (P,) nats per token, ln pi(y_w|x) / |y_w|.
        rejected_means: (P,) nats per token, the same of the rejected answers.
        beta: scale, 2 to 2.5 in the paper.
        gamma: target margin, 0.5 to 1.5 in the paper.

    Returns:
        (P,) nats.

    Source: Meng et al. 2024 (2405.14734), eq. 6.
    """
    return -logsigmoid(beta * (chosen_means - rejected_means) - gamma)


def orpo(chosen_means: Tensor, rejected_means: Tensor) -> Tensor:
    """The odds-ratio term of ORPO; the recipe adds the next-token loss of the chosen answer.

    Args:
        chosen_means: (P,) nats per token, at most 0.
        rejected_means: (P,) nats per token, at most 0.

    Returns:
        (P,) nats, -ln sigma(ln odds_w - ln odds_l), odds = p / (1 - p) with p = exp(mean).

    Source: Hong et al. 2024 (2403.07691), eq. 4 to 7.
    """
    return -logsigmoid(_log_odds(chosen_means) - _log_odds(rejected_means))


def _log_odds(means: Tensor) -> Tensor:
    # An answer the model is certain of (mean exactly 0 after rounding) has infinite odds and a NaN gradient; the
    # smallest positive number in place of 1 - p keeps both finite.
    return means - (-torch.expm1(means)).clamp(min=torch.finfo(means.dtype).tiny).log()


def kto(
    ratios: Tensor,
    desirable: Tensor,
    reference_point: Tensor | float,
    *,
    beta: float,
    desirable_weight: float,
    undesirable_weight: float,
) -> Tensor:
    """Kahneman-Tversky optimisation: answers that are good or bad by themselves, not in pairs.

    w_D (1 - sigma(beta (r - z))) for a desirable answer, w_U (1 - sigma(beta (z - r))) for an undesirable one.

    Args:
        ratios: (S,) nats, r = ln pi(y|x) - ln pi_ref(y|x).
        desirable: (S,) bool.
        reference_point: z, nats, see `kto_reference_point`; no gradient.
        beta: risk aversion, > 0.
        desirable_weight, undesirable_weight: the paper advises w_D n_D / (w_U n_U) between 1 and 3/2.

    Returns:
        (S,), half the weight where r = z, between 0 and the weight.

    Source: Ethayarajh et al. 2024 (2402.01306), eq. 8.
    """
    gain = torch.where(desirable, ratios - reference_point, reference_point - ratios)
    weights = torch.where(desirable, desirable_weight, undesirable_weight).to(ratios.dtype)
    return weights * (beta * -gain).sigmoid()


def kto_reference_point(mismatched: Tensor) -> Tensor:
    """The drift that an answer is measured against: the mean log-ratio of answers to other prompts, at least 0.

    Args:
        mismatched: (M,) nats, ln pi(y_j|x_i) - ln pi_ref(y_j|x_i) with j another row; M >= 1.

    Returns:
        () nats, without gradient: an estimate of KL(pi || pi_ref).

    Source: Ethayarajh et al. 2024 (2402.01306), section 4.1.
    """
    return mismatched.detach().mean().clamp(min=0.0)
