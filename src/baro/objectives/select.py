"""Best-of-n: which answer is kept, how far that moves the policy and what it gains.

B rows, K or n samples per row. Source of the closed forms: Beirami et al. 2024 (2401.01879) and Gao, Schulman and
Hilton 2022 (2210.10760).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def best_of(scores: Tensor) -> Tensor:
    """(B,) int64: index of the highest of (B, K) finite scores in each row; the first of them on ties."""
    return scores.argmax(-1)


def random_of(rows: int, samples: int, *, generator: torch.Generator) -> Tensor:
    """The control of `best_of`: one index per row, uniform in [0, samples), so that both keep equally many.

    Returns:
        (rows,) int64.
    """
    return torch.randint(samples, (rows,), generator=generator, device=generator.device)


def kl_bound(n: int) -> float:
    """ln n - (n - 1)/n: the most nats best-of-n can be from its base; reached only when no two rewards are equal.

    Source: Stiennon et al. 2020 (2009.01325), appendix G.3; that it is a bound: Beirami et al. 2024.
    """
    return math.log(n) - (n - 1) / n


def kl_exact(probabilities: Tensor, n: int) -> float:
    """KL of best-of-n from a base with finitely many answers.

    Args:
        probabilities: (V,) of the base, sorted by reward, worst first, summing to 1. Answers of equal reward are one
            entry: among them best-of-n draws as the base does.
        n: samples.

    Returns:
        nats, sum_i q_i ln(q_i / p_i) with q_i = F_i^n - F_{i-1}^n and F the cumulative sum of p; at most
        `kl_bound(n)`.
    """
    p = probabilities.to(torch.float64)
    cumulative = p.cumsum(0).clamp(max=1.0)
    below = torch.cat([cumulative.new_zeros(1), cumulative[:-1]])
    q = cumulative.pow(n) - below.pow(n)
    return (q * (q / p).log()).where(q > 0, 0.0).sum().item()


def best_of_k(scores: Tensor, k: int) -> Tensor:
    """Unbiased estimate of the expected best of k fresh samples from n >= k samples that exist already.

    For scores of 0 and 1 this is pass@k (Chen et al. 2021, 2107.03374, eq. 1). Arguments and errors as `value_of_k`.
    """
    return value_of_k(scores, scores, k)


def value_of_k(scores: Tensor, values: Tensor, k: int) -> Tensor:
    """Unbiased estimate of what the answer with the highest score among k fresh samples is worth by another measure.

    Args:
        scores: (B, n) what the answer is chosen by.
        values: (B, n) what it is worth.
        k: 1 <= k <= n.

    Returns:
        (B,) the mean over all C(n, k) subsets of the value of the subset's best answer, in closed form: the i-th lowest
        score is the best of C(i - 1, k - 1) of them. Among answers of equal score each is chosen equally often.

    Raises:
        ValueError: k is not in 1..n.
    """
    n = scores.shape[-1]
    if not 1 <= k <= n:
        raise ValueError(f"the best of {k} cannot be estimated from {n} samples: k must be in 1..{n}")
    shares = [math.comb(i, k - 1) / math.comb(n, k) for i in range(n)]
    ordered, places = scores.sort(-1)
    higher = torch.zeros_like(places)
    higher[..., 1:] = (ordered[..., 1:] != ordered[..., :-1]).cumsum(-1)  # the number of each answer's group of equals
    worth = values.gather(-1, places)
    sums, counts = torch.zeros_like(worth), torch.zeros_like(worth)
    sums.scatter_add_(-1, higher, worth)
    counts.scatter_add_(-1, higher, torch.ones_like(worth))
    means = (sums / counts.clamp(min=1)).gather(-1, higher)
    return means @ torch.tensor(shares, dtype=values.dtype, device=values.device)


def normal_lift(n: int) -> float:
    """E[max of n standard normals]: what best-of-n gains, in standard deviations, when rewards are Gaussian.

    Integral of x n phi(x) Phi(x)^(n-1) by the trapezoid rule, whose error is below 1e-12 for so smooth an integrand.
    """
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    log_density = math.log(n) - 0.5 * x.square() - 0.5 * math.log(2 * math.pi) + (n - 1) * torch.special.log_ndtr(x)
    return torch.trapezoid(x * log_density.exp(), x).item()
