"""What every method's settings share beyond the training loop's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from baro.engine.config import Training


class Method(Training):
    """A training method fed by data files."""

    on_bad_row: Literal["error", "skip"] = "error"
    """A row that cannot be used stops the run (error), or is counted and written to skipped_rows.jsonl (skip)."""
    max_samples: int | None = Field(default=None, ge=1)
    """Use the first rows of the data only; none uses all."""
    adam_tf_epsilon: bool = False
    """True: TensorFlow's placing of Adam's epsilon, as the first RLHF papers trained with (Huang et al. 2023)."""
