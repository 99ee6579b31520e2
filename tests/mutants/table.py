"""Bugs the field has shipped, each as a small change of our code that a named test must notice.

The incidents are public: transformers#34191 is github.com/huggingface/transformers/issues/34191, and so on.
"""

from __future__ import annotations

import methods
import people
import pure
import rooms
from mutant import Mutant

MUTANTS: list[Mutant] = [*pure.MUTANTS, *rooms.MUTANTS, *methods.MUTANTS, *people.MUTANTS]
