"""What every method's settings share beyond the training loop's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from baro.core.errors import BaroError
from baro.data import hub
from baro.data.dialects import Format
from baro.engine.config import Training
from baro.engine.fields import existing
from baro.models.load import check
from baro.rewards.environment import EnvironmentName, load_environment
from baro.rewards.functions import FunctionName


def _there(path: str, info: ValidationInfo) -> str:
    pending = (info.context or {}).get("pending", ())
    if not any(Path(path).is_relative_to(folder) for folder in pending):
        try:
            check(path)
        except BaroError as error:
            raise ValueError(f"found '{path}': {error.message}") from None
    return path


ModelPath = Annotated[str, AfterValidator(_there)]
"""A model folder that is there when the settings are read (or whose folder is pending), or a name on the hub."""


def _data_there(path: Path, info: ValidationInfo) -> Path:
    return path if hub.is_name(str(path)) else existing(path, info)


DataPath = Annotated[Path, AfterValidator(_data_there)]
"""A file, folder or glob pattern that is there when the settings are read, or the name of a data set on the hub."""


class Method(Training):
    """A training method fed by data files."""

    on_bad_row: Literal["error", "skip"] = "error"
    """A row that cannot be used stops the run (error), or is counted and written to skipped_rows.jsonl (skip)."""
    max_samples: int | None = Field(default=None, ge=1)
    """Use the first rows of the data only; none uses all."""
    format: Format | None = None
    """Read every row as this format; none detects it."""
    columns: dict[str, str] = {}
    """Our name of a column and the file's, for example {instruction: Q, output: A}."""
    dataset_weights: list[Annotated[float, Field(ge=0)]] | None = None
    """Passes over each entry of dataset per epoch: 2 gives its rows twice, 0.5 a random half of them; none: 1 each."""
    check_data: bool = True
    """Look the data over before the first step; errors stop the run, warnings are said."""
    adam_tf_epsilon: bool = False
    """True: TensorFlow's placing of Adam's epsilon, as the first RLHF papers trained with (Huang et al. 2023)."""

    @model_validator(mode="after")
    def _has_a_weight_for_each(self) -> Self:
        weights, named = self.dataset_weights, getattr(self, "dataset", [])
        if weights is not None and (len(weights) != len(named) or not sum(weights)):
            raise ValueError(f"dataset_weights has {len(weights)} numbers for {len(named)} entries of dataset")
        return self

    @field_validator("*")
    @classmethod
    def _within_training_limits(cls, value: Any, info: ValidationInfo) -> Any:
        """A method that gives a setting another default writes its type anew; the limits are still Training's."""
        base = Training.model_fields.get(info.field_name or "")
        if base is not None and base.metadata:
            try:
                limited: Any = Annotated[base.annotation, *base.metadata]
                TypeAdapter(limited).validate_python(value)
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].replace("Input", "the value")) from None
        return value


class Rewarded(Method):
    """A method that samples answers and learns from their scores."""

    reward_model_name_or_path: ModelPath | None = None
    """A trained reward model (its stored normalisation applied)."""
    reward_funcs: list[FunctionName] = []
    """Python rewards, module:function or file.py:function, in TRL's form."""
    reward_weights: list[float] | None = None
    """Weights of the rewards, the model first; default 1 each."""
    environment: EnvironmentName | None = None
    """What answers and pays: arithmetic, gsm8k, svamp, guess, programs, or module:Class or file.py:Class."""
    environment_args: dict[str, Any] = {}
    """Keyword arguments of the environment."""
    reward_timeout: float = Field(default=600.0, gt=0)
    """Seconds that reward functions or the environment may take for one batch of answers."""
    missing_eos_penalty: float | None = None
    """An answer without end token scores minus this, whatever it says."""

    @model_validator(mode="after")
    def _has_something_to_score_with(self) -> Self:
        rewards = len(self.reward_funcs) + (self.reward_model_name_or_path is not None)
        if not rewards and self.environment is None:
            raise ValueError("nothing to score with: give reward_model_name_or_path, reward_funcs or environment")
        if self.environment is not None:
            load_environment(self.environment, self.environment_args)
        if self.reward_weights is not None and len(self.reward_weights) != rewards:
            raise ValueError(f"reward_weights has {len(self.reward_weights)} numbers for {rewards} rewards")
        return self
