"""REINFORCE leave-one-out (Ahmadian et al. 2024, 2402.14740): the group method with the paper's baseline.

A_i = r_i - β (log π - log π_ref)(y_i) - mean of the others'       one ratio for the whole answer
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from baro.recipes import group


class Config(group.Config):
    """Settings of `baro rloo`: those of `baro group`, with the defaults of TRL's RLOO (1.16) but four answers each."""

    method: ClassVar[str] = "rloo"

    num_generations: int = Field(default=4, ge=2)
    advantage: Literal["group", "leave_one_out"] = "leave_one_out"
    loss_type: Literal["dapo", "grpo", "dr_grpo", "gspo", "rloo"] = "rloo"
    beta: float = Field(default=0.05, ge=0)
    kl_in_reward: bool = True
    kl_estimator: Literal["k1", "k2", "k3"] = "k1"


main = group.main
