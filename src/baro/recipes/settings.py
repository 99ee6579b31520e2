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
from baro.engine.config import ExistingPath, Training
from baro.models.load import check
from baro.rewards.ensemble import Combine
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


class Method(Training):
    """A training method fed by data files."""

    on_bad_row: Literal["error", "skip"] = "error"
    """A row that cannot be used stops the run (error), or is counted and written to skipped_rows.jsonl (skip)."""
    max_samples: int | None = Field(default=None, ge=1)
    """Use the first rows of the data only; none uses all."""
    adam_tf_epsilon: bool = False
    """True: TensorFlow's placing of Adam's epsilon, as the first RLHF papers trained with (Huang et al. 2023)."""

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

    on_alarm: Literal["log", "stop", "raise_kl", "rewind"] = "log"
    """What a grave alarm of the watch does: log says it; stop ends the run; raise_kl doubles kl_coef; rewind ends the
    run and goes back to the weights that held_out_reward_model liked best."""
    held_out_reward_model: ModelPath | None = None
    """A second reward model (another seed, another half of the pairs) that only watches: a referee."""
    judge: FunctionName | None = None
    """A gold judge that only watches, module:function or file.py:function."""
    judge_args: dict[str, Any] | None = None
    """Given: the judge is a factory called with these."""

    reward_model_name_or_path: ModelPath | None = None
    """A trained reward model (its stored normalisation applied)."""
    reward_ensemble: list[ModelPath] = []
    """Further reward models, scored with the first: the same base, other seeds."""
    reward_combine: Combine = "mean"
    """How an ensemble becomes one score: mean; min, the most doubtful; lcb, mean minus reward_caution standard
    deviations; warm, one model with the mean of all weights."""
    reward_caution: float = Field(default=1.0, ge=0)
    """c of lcb."""
    reward_reference: ExistingPath | None = None
    """Answers of the SFT model to the same prompts, as `baro sample` writes them: the reward becomes
    sigmoid(score - mean score of these answers), which cannot run away (PAR, 2502.18770)."""
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
    def _can_do_what_an_alarm_asks(self) -> Self:
        if self.on_alarm == "raise_kl" and "kl_coef" not in type(self).model_fields:
            raise ValueError("on_alarm=raise_kl needs a price of KL that can rise, which only ppo has")
        if self.on_alarm == "rewind" and not self.held_out_reward_model:
            raise ValueError("on_alarm=rewind needs held_out_reward_model to know which weights were best")
        return self

    @model_validator(mode="after")
    def _has_something_to_score_with(self) -> Self:
        rewards = len(self.reward_funcs) + (self.reward_model_name_or_path is not None)
        if not rewards and self.environment is None:
            raise ValueError("nothing to score with: give reward_model_name_or_path, reward_funcs or environment")
        if self.reward_model_name_or_path is None and (self.reward_ensemble or self.reward_reference):
            raise ValueError("reward_ensemble and reward_reference need reward_model_name_or_path")
        if self.environment is not None:
            load_environment(self.environment, self.environment_args)
        if self.reward_weights is not None and len(self.reward_weights) != rewards:
            raise ValueError(f"reward_weights has {len(self.reward_weights)} numbers for {rewards} rewards")
        return self
