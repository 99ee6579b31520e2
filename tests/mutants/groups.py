"""Bugs in the group methods, KTO, online DPO and environments."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    # --- advantages
    Mutant(
        name="leave-one-out that leaves nobody out",
        incident="T39 OpenRLHF#1250",
        file="objectives/advantage.py",
        old="(k / (k - 1) if k > 1 else 0.0)",
        new="1.0",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="the deviation of the sample in group advantages",
        incident="T39 OpenRLHF#1250 (ddof left open)",
        file="objectives/advantage.py",
        old="centred / torch.where(same, 1.0, wide.std(-1, correction=0, keepdim=True))",
        new="centred / torch.where(same, 1.0, wide.std(-1, correction=1, keepdim=True))",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="rounding of the mean becomes a signal",
        incident="T39 OpenRLHF#1250 (groups that score alike)",
        file="objectives/advantage.py",
        old="same = wide.amax(-1, keepdim=True) == wide.amin(-1, keepdim=True)",
        new="same = wide.isnan().all(-1, keepdim=True)",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="the price of length is paid by short answers",
        incident="T10 trl#6439",
        file="objectives/advantage.py",
        old="return ((longest - margin - lengths) / margin)",
        new="return ((lengths - longest + margin) / margin)",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="the advantages of other prompts' groups",
        incident="T39 verl#1527",
        file="recipes/group.py",
        old="for episode in group] for group in groups])",
        new="for episode in group] for group in groups]).t().reshape(len(groups), -1)",
        test="recipes/test_group.py",
    ),
    # --- the loss
    Mutant(
        name="the mean over answers weighs tokens of empty answers",
        incident="T10 trl#2881",
        file="objectives/policy.py",
        old="total, answers = int(lengths.sum()), int((lengths > 0).sum())",
        new="total, answers = int(lengths.sum()), len(lengths)",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="each answer's loss divided by its length twice",
        incident="T10 trl#2881, LLaMA-Factory#9409",
        file="objectives/policy.py",
        old="share = total / (max(answers, 1) * lengths.clamp(min=1).float())",
        new="share = total / (max(answers, 1) * lengths.clamp(min=1).float().square())",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="the ratio of whole answers is a token's",
        incident="T38 OpenRLHF July 2025",
        file="objectives/policy.py",
        old="return old_log_probs + (moved / lengths.clamp(min=1) if mean else moved).repeat_interleave(lengths)",
        new="return old_log_probs + (moved if mean else moved / lengths.clamp(min=1)).repeat_interleave(lengths)",
        test="objectives/test_group.py",
    ),
    Mutant(
        name="the drift is charged in the reward and in the loss",
        incident="T37 verl#3916",
        file="recipes/group.py",
        old="        if config.kl_in_reward:\n",
        new="        if config.beta:\n",
        test="recipes/test_group.py",
    ),
    Mutant(
        name="the drift is measured from the reference's side",
        incident="T37 trl#262, verl#644",
        file="recipes/group.py",
        old='drift = KL[config.kl_estimator](now, batch.extra["reference"])',
        new='drift = KL[config.kl_estimator](batch.extra["reference"], now)',
        test="recipes/test_group.py",
    ),
    Mutant(
        name="the group's update forgets the sampling temperature",
        incident="T32 trl#3029",
        file="recipes/group.py",
        old="now = token_log_probs(models.policy, batch, temperature=config.temperature)",
        new="now = token_log_probs(models.policy, batch)",
        test="recipes/test_group.py",
    ),
    Mutant(
        name="answers without a cut are the ones left out",
        incident="T10 trl#6439",
        file="recipes/experience.py",
        old="kept = [row for row, out in enumerate(rows) if not out]",
        new="kept = [row for row, out in enumerate(rows) if out]",
        test="recipes/test_group.py",
    ),
    Mutant(
        name="dynamic sampling keeps the groups that teach nothing",
        incident="DAPO 2503.14476, section 3.2",
        file="recipes/rollout.py",
        old="kept += telling if again else found",
        new="kept += found",
        test="recipes/test_group.py",
    ),
]
