"""Group relative policy optimisation as published (Shao et al. 2024, 2402.03300): the group method, its first form.

A_i = (r_i - mean r) / std r         loss: mean over answers of their mean over tokens, β k3 in it
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from baro.recipes import group


class Config(group.Config):
    """Settings of `baro grpo`: those of `baro group`, with the paper's loss and price. TRL's GRPO is `baro group`."""

    method: ClassVar[str] = "grpo"

    loss_type: Literal["dapo", "grpo", "dr_grpo", "gspo", "rloo"] = "grpo"
    beta: float = Field(default=0.04, ge=0)


main = group.main
