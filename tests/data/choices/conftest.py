import pytest

from baro.data.choices.store import Pair, Store
from baro.data.records import Message


@pytest.fixture
def pair():
    """(number, models) → a pair about that number."""

    def build(number: int, models=("", ""), **more) -> Pair:
        prompt = (Message("user", f"Question {number}?"),)
        return Pair(prompt, *((Message("assistant", f"{side} {number}"),) for side in "AB"), models, **more)

    return build


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "choices.db")
    yield opened
    opened.close()
