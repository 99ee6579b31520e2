"""Kullback-Leibler divergence: exact, estimated from samples, as a reward and with an adaptive price.

Direction throughout: KL(p || q) with samples x ~ p. In RLHF p is the policy and q its reference.
Estimators: Schulman 2020, "Approximating KL divergence" (joschu.net/blog/kl-approx.html).
"""

from __future__ import annotations

from torch import Tensor


def exact(logits_p: Tensor, logits_q: Tensor) -> Tensor:
    """KL of two categorical distributions, sum_x p(x) (ln p(x) - ln q(x)).

    Args:
        logits_p: (..., V) unnormalised.
        logits_q: (..., V) unnormalised; -inf (an impossible token) only where `logits_p` is -inf too, else inf.

    Returns:
        (...,) nats.
    """
    log_p, log_q = logits_p.log_softmax(-1), logits_q.log_softmax(-1)
    p = log_p.exp()
    # where, because an impossible token has 0 * (-inf + inf)
    return (p * (log_p - log_q)).where(p > 0, 0.0).sum(-1)


def k1(log_p: Tensor, log_q: Tensor) -> Tensor:
    """ln p - ln q: unbiased, may be negative. As a LOSS on samples of p its expected gradient is 0.

    Args:
        log_p: (N,) nats, log-probability of the sampled token under the distribution that sampled it.
        log_q: (N,) nats, the same token under the other one.

    Returns:
        (N,) nats.
    """
    return log_p - log_q


def k2(log_p: Tensor, log_q: Tensor) -> Tensor:
    """(ln p - ln q)^2 / 2: biased but never negative. As a loss its expected gradient is that of KL(p || q).

    Args and shapes as for `k1`.
    """
    return 0.5 * (log_p - log_q).square()


def k3(log_p: Tensor, log_q: Tensor) -> Tensor:
    """q/p - 1 - ln(q/p): unbiased and never negative. As a loss its expected gradient is that of KL(q || p).

    Args and shapes as for `k1`. expm1 keeps the digits where the two are close.
    """
    log_ratio = log_q - log_p
    return log_ratio.expm1() - log_ratio


def penalty(log_probs: Tensor, reference: Tensor, *, coefficient: float) -> Tensor:
    """What a policy pays per token for drifting from its reference: -beta (ln pi - ln pi_ref), a reward.

    Args:
        log_probs: (...) nats of the sampled tokens under the policy that sampled them.
        reference: (...) nats of the same tokens under the reference.
        coefficient: beta, reward units per nat, >= 0.

    Returns:
        (...) reward units; the sum over an answer is -beta times its sequence log-ratio.

    Source: Ziegler et al. 2019 (1909.08593), eq. 2; Ouyang et al. 2022 (2203.02155), eq. 2.
    """
    return -coefficient * k1(log_probs, reference)


def adapt(coefficient: float, *, kl: float, target: float, samples: int, horizon: float) -> float:
    """The next KL coefficient: raised when the policy drifts more than the target, lowered when less.

    Args:
        coefficient: the present one.
        kl: mean KL of the answers of this update, nats per answer.
        target: nats per answer.
        samples: answers in this update.
        horizon: answers over which the coefficient may change by 20 %.

    Returns:
        beta (1 + e samples / horizon), e = clip(kl / target - 1, -0.2, 0.2).

    Source: Ziegler et al. 2019 (1909.08593), section 2.2, in the form of their code.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coefficient * (1 + error * samples / horizon)
