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
from baro.engine.config import ExistingPath, Training
from baro.engine.fields import existing
from baro.models.adapters import Lora, preflight
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
    use_peft: bool = False
    """True: train low-rank adapters (LoRA) on the frozen model and save them alone, in peft's format."""
    lora_r: int = Field(default=16, ge=1)
    """Rank of the adapters (TRL: 16)."""
    lora_alpha: int = Field(default=32, ge=1)
    """What they add is scaled by lora_alpha / lora_r (TRL: 32)."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on their input, in methods that train with dropout (TRL: 0.05)."""
    lora_target_modules: list[str] | None = None
    """Names of the linear layers that get one; all-linear: every one; none: peft's choice for the architecture."""

    @property
    def frozen(self) -> dict[str, Any]:
        """How a model that is not trained is loaded: with use_peft, on the base that all models share."""
        place = {"dtype": self.dtype, "device": self.device}
        return place | {"lora": Lora(trained=False)} if self.use_peft else place

    @property
    def trained(self) -> dict[str, Any]:
        """How a model that is trained is loaded."""
        return self.frozen | {"lora": self.lora, "recompute": self.gradient_checkpointing}

    @property
    def lora(self) -> Lora | None:
        """The adapters to train; None trains every weight."""
        targets = None if self.lora_target_modules is None else tuple(self.lora_target_modules)
        chosen = self.model_fields_set & {"lora_r", "lora_alpha", "lora_target_modules"}
        made = Lora(self.lora_r, self.lora_alpha, self.lora_dropout, targets, self.seed, frozenset(chosen))
        return made if self.use_peft else None

    @model_validator(mode="after")
    def _adapters_fit(self, info: ValidationInfo) -> Self:
        if self.lora is not None:
            path = getattr(self, "model_name_or_path", None)
            if path is None:
                raise ValueError("use_peft trains adapters on a model that is there: give model_name_or_path")
            pending = (info.context or {}).get("pending", ())
            if not any(Path(path).is_relative_to(folder) for folder in pending):
                try:
                    preflight(path, self.lora)
                except BaroError as error:
                    raise ValueError(str(error)) from None
        return self

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
    batch_invariant: bool = False
    """Sampler and trainer compute every token alike, to the last bit (watch/mismatch is 0); several times slower."""
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
    def _rollouts_are_whole_groups(self) -> Self:
        size, k = getattr(self, "rollout_batch_size", 0), getattr(self, "num_generations", 1)
        if size % k:
            raise ValueError(f"rollout_batch_size={size} is no multiple of num_generations={k}")
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
