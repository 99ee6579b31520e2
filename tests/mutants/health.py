"""Bugs in what judges a reward model and a run."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    Mutant(
        name="a pair of equal scores counts as right",
        incident="no tie in the reliability diagram",
        file="evals/calibration.py",
        old="(np.sign(array) + 1) / 2",
        new="(array >= 0).astype(float)",
        test="evals/test_calibration.py",
    ),
    Mutant(
        name="scores are multiplied by the temperature",
        incident="Guo et al. 2017 divide",
        file="evals/calibration.py",
        old="return 1 / float(brentq",
        new="return float(brentq",
        test="evals/test_calibration.py",
    ),
    Mutant(
        name="the bins of the calibration error are not weighted by their pairs",
        incident="averaging over bins",
        file="evals/calibration.py",
        old="sum(one.count * abs(one.confidence - one.accuracy) for one in diagram) / total",
        new="sum(abs(one.confidence - one.accuracy) for one in diagram) / len(diagram)",
        test="evals/test_calibration.py",
    ),
    Mutant(
        name="an annotator agrees with himself",
        incident="agreement from squared shares is biased upwards",
        file="evals/ceiling.py",
        old="(math.comb(a, 2) + math.comb(b, 2)) / math.comb(a + b, 2)",
        new="(a * a + b * b) / (a + b) ** 2",
        test="evals/test_ceiling.py",
    ),
    Mutant(
        name="the ceiling is the agreement itself",
        incident="agreement taken for accuracy",
        file="evals/ceiling.py",
        old="(1 + math.sqrt(max(2 * agreed - 1, 0.0))) / 2",
        new="agreed",
        test="evals/test_ceiling.py",
    ),
    Mutant(
        name="folds that divide the pairs of one prompt",
        incident="preferences split by pair instead of by prompt",
        file="evals/baselines.py",
        old="GroupKFold(folds).split(pairs, groups=groups)",
        new="GroupKFold(folds).split(pairs, groups=list(range(len(pairs))))",
        test="evals/test_baselines.py",
    ),
    Mutant(
        name="an interval that takes pairs of one prompt for independent",
        incident="bootstrap over pairs",
        file="evals/statistics.py",
        old="(np.bincount(owner, weights).astype(np.float64) for weights in (array, counts))",
        new="(weights for weights in (array, counts))",
        test="evals/test_health.py",
    ),
    Mutant(
        name="trained prompts stay among the held-out ones",
        incident="evaluation on training prompts",
        file="pipeline/health.py",
        old="if health.prompt_of(row) not in seen]",
        new="]",
        test="pipeline/test_health.py",
    ),
]
