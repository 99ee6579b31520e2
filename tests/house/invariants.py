"""Writes docs/invariants.md: what the project promises about its arithmetic and its files, and the tests that prove it.

Run: python tests/house/invariants.py
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "invariants.md"

STATEMENTS = {
    "Language models and fine-tuning": {
        1: "A model that knows nothing (all logits equal) loses ln V per token, and pre-training starts there.",
        2: "Position t predicts token t+1: a model that merely copies its input does badly.",
        3: "The loss of a token does not depend on the order of rows, on padding, on its side, or on packing.",
        4: "k micro-batches of b give the loss, gradients and weights of one batch of k·b, however unequal they are.",
        5: "Sequences packed into one row behave as if alone: no logit moves when a neighbour changes.",
        6: "Tokens that are not learnt pull on nothing, and a row without any learnt token has weight 0.",
        7: "Every end token of the assistant is learnt, its first token too; nothing of the user or system is.",
        8: "Training and serving turn the same messages into the same ids, with exactly one begin token.",
        9: "Decoding with a key-value cache gives the logits of the full forward pass, whoever shares the batch.",
        10: "The loss computed in chunks equals the one from whole logits, in value and gradient.",
        11: "A learning rate of 0 changes no bit; a batch can be learnt by heart; decay alone shrinks by 1 - lr·wd.",
        12: "The printed operation count agrees with a count of the operators run.",
        13: "The optimiser takes the steps of AdamW written out by hand, in both conventions of epsilon.",
    },
    "Reward models": {
        14: "Two equal scores cost ln 2.",
        15: "Swapping a pair adds the difference of its scores to the loss; the two win probabilities sum to 1.",
        16: "Adding a constant to both scores of a prompt changes nothing; scaling them does.",
        17: "A ranking of K answers costs the mean over its K(K-1)/2 pairs, from K forward passes.",
        18: "A margin shifts the difference of scores; a ranking of two is a pair.",
        19: "Once normalised, reference answers score mean 0, variance 1, in the same order; a checkpoint keeps it.",
        20: "A score does not depend on padding, nor on anything after the end token.",
        21: "Utilities are recovered from simulated comparisons, with an error that falls as 1/√n.",
        22: "Flipped labels cap accuracy at 1 minus their rate, and random labels teach nothing.",
    },
    "Proximal policy optimisation": {
        23: "Before the first step of an update the ratio is 1, nothing is clipped, and the gradient is REINFORCE's.",
        24: "With whitened advantages the first policy loss is 0.",
        25: "Advantages reach their limits: reward-to-go minus value, the one-step error, a decaying terminal reward.",
        26: "Returns are advantages plus values; padding adds nothing to any figure.",
        27: "An answer pays beta times its log-ratio, and its score is paid once, at its last token.",
        28: "A policy equal to its reference pays exactly 0.",
        29: "An enormous price pins the policy to its reference; a price of 0 ignores it.",
        30: "The clip stops the gradient exactly where the ratio left its interval in the rewarded direction.",
        31: "The clipped value loss is never below the plain one.",
        32: "A fresh value head says 0 everywhere.",
        33: "The adaptive price rests at its target and moves at most 20 % per horizon.",
        34: "Mixing in pre-training text with weight 0 is plain PPO, bit for bit.",
        35: "Log-probabilities are taken at the sampling temperature, when sampling and when training.",
        36: "An answer without end token scores exactly the configured penalty, instead of its score.",
        37: "A token of probability 1 adds nothing to loss or KL.",
        38: "A bandit converges to the reference tilted by exp(r/beta), and its value is beta·ln Z.",
        39: "The reference does not change by a bit while the policy is trained.",
        40: "The log-probabilities noted while sampling are those the trainer computes.",
        41: "Scaling the reward scales the update, unless rewards are whitened: then it changes nothing.",
        42: "Two forward passes of the same policy agree: there is no dropout.",
    },
    "Groups, best-of-n, rejection sampling": {
        43: "Leave-one-out advantages sum to 0 and are G/(G-1) times the centred rewards.",
        44: "Group-normalised advantages ignore the scale and offset of the reward.",
        45: "The aggregations over tokens and over sequences agree when lengths do.",
        46: "The divergence of best-of-n is at most ln n - (n-1)/n, grows with n, and is exact for finite choices.",
        47: "On Gaussian rewards best-of-n gains the expected maximum and beats a rival n times in n+1.",
        48: "Selection looks at the order of rewards only, ties go to the first, and its control keeps as many.",
        49: "The estimate of best-of-k from n samples is the mean over every subset.",
        50: "Over repeated rounds the best answer kept for a prompt never gets worse.",
        51: "KL estimators have the documented bias, sign and, used as losses, gradients.",
    },
    "Direct preferences": {
        52: "Where policy and reference agree every loss has its known value (ln 2, 1/(4τ²), ln(1+e^γ)).",
        53: "Gradients are those of the papers and of finite differences.",
        54: "Swapping chosen and rejected adds beta·h to the DPO loss.",
        55: "Each loss is lowest, over a population, at the log-ratio its paper derives.",
        56: "Identical answers give no gradient, and prompt tokens never do.",
        57: "Cached, recomputed, concatenated and separate reference passes agree.",
        58: "Length-normalised losses ignore that every token is doubled; summed ones do not.",
        59: "The reference point of KTO is never negative and carries no gradient.",
        60: "At step 0 the implicit rewards tie, and ties are counted as documented.",
    },
    "State, files, determinism": {
        61: "A run resumed at any step is the uninterrupted run, bit for bit.",
        62: "Killed at any instant of a save, the newest valid checkpoint is still there and found.",
        63: "One flipped or missing byte is noticed before a tensor is used.",
        64: "Pruning never removes the last valid checkpoint.",
        65: "The order of data depends on seed, epoch and index only: not on ranks, not on resuming.",
        66: "A first signal finishes the step and saves; a second stops at once and corrupts nothing.",
        67: "A loss or gradient that is not finite changes no weight, and the rows that caused it are named.",
        68: "Export and import give back every bit, tied weights once, in the right type.",
        69: "The same seed twice writes the same log.",
        70: "The server refuses a wrong host, origin or token on every route and opens no file outside its root.",
    },
}
NOT_YET = {12}


def marked(tests: Path, mark: str) -> dict[str, list[str]]:
    """Mark argument -> `file::test` of every test that carries it, by reading the syntax trees below `tests`."""
    found = defaultdict(list)
    for file in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            for call in (each for decorator in node.decorator_list for each in ast.walk(decorator)):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{mark}":
                    for argument in call.args:
                        found[str(ast.literal_eval(argument))].append(f"{file.relative_to(tests)}::{node.name}")
    return dict(found)


def page(tests: Path) -> str:
    """The text of docs/invariants.md.

    Raises:
        ValueError: a test claims an invariant that does not exist.
    """
    proofs = marked(tests, "invariant")
    known = {f"I{number}" for section in STATEMENTS.values() for number in section}
    if unknown := {name: where for name, where in proofs.items() if name not in known}:
        raise ValueError(f"tests claim invariants that do not exist: {unknown}")
    proven = sum(name in proofs for name in known)
    lines = [
        "# Invariants",
        "",
        "What must hold whatever the model, the data and the machine, and the tests that prove it.",
        f"{proven} of {len(known)} are proven. From the tests' marks, by `python tests/house/invariants.py`.",
    ]
    for title, section in STATEMENTS.items():
        lines += ["", f"## {title}", "", "| | what holds | proven by |", "|---|---|---|"]
        for number, statement in section.items():
            none = "not applicable yet" if number in NOT_YET else "no test yet"
            links = [_link(where) for where in proofs.get(f"I{number}", [])]
            lines.append(f"| I{number} | {statement} | {'<br>'.join(links) or none} |")
    return "\n".join(lines) + "\n"


def _link(where: str) -> str:
    file, name = where.split("::")
    return f"[{re.sub('_', ' ', name.removeprefix('test_'))}](../tests/{file})"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(ROOT / "tests"), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
