"""Prompts that leave no room for an answer."""

import pytest

from baro.core.errors import DataError
from baro.data.records import Message, Prompt
from baro.evals.answers import refuse_full


def test_one_token_of_room_is_enough_and_none_is_not():
    rows = [(Prompt((Message("user", "hi"),), where=f"prompts.jsonl:{size}"), [5] * size) for size in (1, 63, 64, 65)]
    refuse_full(rows[:2], 64)
    refuse_full(rows, None)
    with pytest.raises(DataError, match="has 64 tokens and the model's context is 64") as problem:
        refuse_full(rows, 64, ", or do without")
    assert problem.value.where == "prompts.jsonl:64"
    assert "Of all, 2 are that long. Shorten the prompt, or do without." in str(problem.value)
