"""Bugs in the watch, in ensembles of adapters, and in the pairs of code."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    Mutant(
        name="a drift is wasted whatever it buys",
        incident="a healthy run that spends nats and gains by it rang as a runaway",
        file="watch/rules.py",
        old="pace * (1 - bought) > limits.kl_pace",
        new="pace > limits.kl_pace",
        test="watch/test_rules.py",
    ),
    Mutant(
        name="the first leap counts as pace",
        incident="a run that moves once and stays rang as a runaway",
        file="watch/rules.py",
        old="history[1:][-limits.window :]",
        new="history[-limits.window :]",
        test="watch/test_rules.py",
    ),
    Mutant(
        name="what a drift can buy grows with its nats, not with their root",
        incident="reward against KL instead of its root (Gao et al. 2023)",
        file="watch/signals.py",
        old="gain / math.sqrt(2 * nats)",
        new="gain / (2 * nats)",
        test="watch/test_signals.py",
    ),
    Mutant(
        name="the proxy answers for the held-out model",
        incident="a referee that is the judged",
        file="watch/rules.py",
        old='(("watch/held_out", "watch/held_out_sd"), ("objective/scores", "watch/scores_sd"))',
        new='(("objective/scores", "watch/scores_sd"),)',
        test="watch/test_rules.py",
    ),
    Mutant(
        name="KTO tells the watch of all answers, not of the good ones",
        incident="the likelihood of chosen answers mixed with that of rejected ones",
        file="recipes/kto.py",
        old="gains = (ratios.detach() / lengths)[good]",
        new="gains = ratios.detach() / lengths",
        test="recipes/test_kto.py",
    ),
    Mutant(
        name="the factors of adapters are averaged",
        incident="the mean of two products is not the product of two means",
        file="recipes/scoring.py",
        old="trained(path, dtype=config.dtype, device=config.device) for path in paths",
        new="trained(path, **config.frozen) for path in paths",
        test="recipes/test_scoring.py",
    ),
    Mutant(
        name="every member of an ensemble loads its own base",
        incident="k adapters, k backbones in memory",
        file="recipes/scoring.py",
        old='({"lora": Lora(trained=False)} if is_adapter(path) else {})',
        new="{}",
        test="recipes/test_scoring.py",
    ),
    Mutant(
        name="the longer program is the better one",
        incident="length gives the answer away",
        file="playground/code/pairs.py",
        old="twins = bins[place, pair.gain < 0]",
        new="twins = bins[place, pair.gain > 0]",
        test="playground/code/test_pairs.py",
    ),
    Mutant(
        name="harms that are held out are trained on",
        incident="a test set that training saw",
        file="playground/code/pairs.py",
        old="old = [kind for kind in KINDS if kind not in NEW_HARMS]",
        new="old = list(KINDS)",
        test="playground/code/test_pairs.py",
    ),
    Mutant(
        name="spaces inside quotes are squeezed",
        incident="a change of layout that changes what a program says",
        file="playground/code/layout.py",
        old="part if place % 2 else WIDE.sub",
        new="part if place < 0 else WIDE.sub",
        test="playground/code/test_harms.py",
    ),
    Mutant(
        name="a value moves past what changes it",
        incident="a temporary used twice is written out once",
        file="playground/code/harms.py",
        old="if uses[name] == 2 and _simple",
        new="if uses[name] >= 2 and _simple",
        test="playground/code/test_harms.py",
    ),
]
