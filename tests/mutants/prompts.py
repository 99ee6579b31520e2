"""Bugs of prompts that fill the context: found late, named wrongly, or drawn from all the same."""

from __future__ import annotations

from mutant import Mutant

READING = "recipes/test_reading.py::test_"

MUTANTS = [
    Mutant(
        name="a prompt that fills the context is taken",
        incident="a run that dies at its first long prompt",
        file="recipes/reading.py",
        old="if len(ids) < context]",
        new="if len(ids) < 1 << 30]",
        test=f"{READING}prompts_that_fill_the_context_can_be_left_out",
    ),
    Mutant(
        name="prompts are looked at only when they are sampled from",
        incident="a run that dies at its first long prompt",
        file="recipes/reading.py",
        old="return with_room(rows, config, run, tokenizer) if asked else rows",
        new="return rows",
        test=f"{READING}a_prompt_that_fills_the_context_stops_a_run_before_its_first_step",
    ),
    Mutant(
        name="a prompt that fills the context to the last token is taken",
        incident="one token too many",
        file="evals/answers.py",
        old="len(tokens) >= context]",
        new="len(tokens) > context]",
        test="evals/test_answers.py::test_one_token_of_room_is_enough_and_none_is_not",
    ),
    Mutant(
        name="the file and row of a prompt are not told",
        incident="a run that dies at its first long prompt",
        file="evals/answers.py",
        old="where=first.where,",
        new='where="prompt",',
        test="pipeline/test_inference.py::test_a_prompt_that_fills_the_context_is_named_before_the_model_is_loaded",
    ),
]
