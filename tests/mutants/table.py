"""Bugs the field has shipped, each as a small change of our code that a named test must notice.

The incidents are public: transformers#34191 is github.com/huggingface/transformers/issues/34191, and so on.
"""

from __future__ import annotations

import adapters
import blocks
import compare
import curation
import data
import groups
import health
import methods
import people
import prompts
import pure
import rooms
import speed
import stores
import watch
from mutant import Mutant

MUTANTS: list[Mutant] = [
    *pure.MUTANTS,
    *rooms.MUTANTS,
    *methods.MUTANTS,
    *groups.MUTANTS,
    *adapters.MUTANTS,
    *curation.MUTANTS,
    *data.MUTANTS,
    *health.MUTANTS,
    *compare.MUTANTS,
    *speed.MUTANTS,
    *blocks.MUTANTS,
    *stores.MUTANTS,
    *people.MUTANTS,
    *prompts.MUTANTS,
    *watch.MUTANTS,
]
