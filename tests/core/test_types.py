import math

import pytest
import torch

from baro.core.errors import BaroError, ConfigError, DataError
from baro.core.types import Batch, Mean, Sequence


def batch(**changes) -> Batch:
    fields = {
        "tokens": torch.tensor([5, 6, 7, 8, 9]),
        "positions": torch.tensor([0, 1, 2, 0, 1]),
        "lengths": (3, 2),
        "learn": torch.tensor([False, True, True, False, False]),
        "count": 2,
    }
    return Batch(**{**fields, **changes})


def test_the_first_token_of_a_sequence_never_counts():
    assert Sequence([1, 2, 3], [True, True, False]).count == 1
    assert Sequence([1], [True]).count == 0
    assert Sequence([], []).count == 0


def test_learnt_tokens_of_each_sequence():
    assert batch().learnt_per_sequence().tolist() == [2, 0]


def test_a_batch_moves_with_everything_it_holds():
    moved = batch(extra={"advantages": torch.zeros(2)}, where=("a:1", "a:2")).to("meta")
    assert {moved.tokens.device.type, moved.learn.device.type, moved.positions.device.type} == {"meta"}
    assert moved.extra["advantages"].device.type == "meta"
    assert (moved.lengths, moved.count, moved.where) == ((3, 2), 2, ("a:1", "a:2"))


@pytest.mark.incident("T1")
def test_means_of_micro_batches_add_up_to_the_mean_of_all_of_them():
    # 10 tokens at 1 nat and 90 at 3: 2.8, where the mean of the two means would be 2
    total = Mean(10 * 1.0, 10) + Mean(90 * 3.0, 90)
    assert total.value == pytest.approx(2.8)
    assert math.isnan(Mean(0.0, 0).value)


def test_errors_say_where_and_what_to_do():
    error = DataError("found no 'text'", where="a.jsonl:3", hint="Add it.")
    assert str(error) == "a.jsonl:3: found no 'text' Add it."
    assert isinstance(error, BaroError)
    both = ConfigError.gather([error, ConfigError("second")])
    assert str(both).splitlines() == ["2 problems:", "  a.jsonl:3: found no 'text' Add it.", "  second"]
    assert str(ConfigError.gather([ConfigError("only")])) == "only"
