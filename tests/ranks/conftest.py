"""The toy world of the recipes' tests, for runs of two processes."""

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("toy_world", Path(__file__).parents[1] / "recipes" / "conftest.py")
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)

world, model, reward, settings, tensors = toy.world, toy.model, toy.reward, toy.settings, toy.tensors
