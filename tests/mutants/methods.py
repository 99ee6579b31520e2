"""Bugs in recipes: how the pieces are put together."""

from __future__ import annotations

from mutant import Mutant

MUTANTS: list[Mutant] = []
