"""The world of a comparison with a model of a few thousand weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import tasks, world

SHAPE = (32, 2, 4, 2, 48)
"""width, layers, heads, key heads, width of the MLP."""


@pytest.fixture(scope="session", autouse=True)
def size() -> Iterator[str]:
    """Its name among the sizes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(world.SHAPES, "small", SHAPE)
        yield "small"


@pytest.fixture(scope="session")
def folder(size, tmp_path_factory) -> Path:
    """Models and data as every comparison writes them."""
    where = tmp_path_factory.mktemp("world")
    tasks.write(where, size)
    return where


@pytest.fixture
def asked(size):
    """(**changes) → what the command line asked for."""
    given = {"size": size, "threads": 1, "rounds": 1, "sides": ["baro", "trl"], "busy": True}
    return lambda **changes: argparse.Namespace(**given | changes)
