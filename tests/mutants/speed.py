"""Bugs in what makes it fast: shared prompts, slots, the process."""

from __future__ import annotations

from mutant import Mutant

SHARED = "models/test_shared.py"
GRADIENTS = SHARED + "::test_log_probs_and_gradients_equal_the_unshared_ones"

MUTANTS = [
    Mutant(
        name="prompts that only begin alike are taken for the same",
        incident="T26 transformers#31629",
        file="data/packing.py",
        old="owners.setdefault(tokens[start:end].tobytes(), index)",
        new="owners.setdefault(tokens[start : start + 2].tobytes(), index)",
        test="data/test_packing.py::test_equal_prompts_are_shared_by_hand",
    ),
    Mutant(
        name="a shared prompt learns from one of its answers only",
        incident="T26 prefix sharing, gradient of the keys",
        file="models/attention.py",
        old="total.index_add_(0, ctx.moves.owner, gradient.index_select(0, ctx.moves.more))",
        new="pass",
        test=GRADIENTS,
    ),
    Mutant(
        name="positions run on after a shared prompt",
        incident="T27 position ids of shared prefixes",
        file="models/forward.py",
        old="tokens, positions = tokens[plan.kept], positions[plan.kept]",
        new="tokens, positions = tokens[plan.kept], torch.arange(len(plan.kept))",
        test=GRADIENTS,
    ),
    Mutant(
        name="states of a shared row read as if nothing were shared",
        incident="T12 shift by what was left out",
        file="models/forward.py",
        old="at = plan.home if at is None else plan.home[at]",
        new="at = plan.home if at is None else at.clamp(max=len(plan.kept) - 1)",
        test=GRADIENTS,
    ),
    Mutant(
        name="an answer given the slot of a finished one goes on with its keys",
        incident="T32 slot refill",
        file="models/sample.py",
        old="    store.move(held, seats, lengths)\n",
        new="",
        test="models/test_sample.py::test_the_sampler_believes_what_the_trainer_believes",
    ),
    Mutant(
        name="weights stay turned after sampling",
        incident="weights of the trainer changed by the sampler",
        file="models/layout.py",
        old="            weight.data = weight.data.contiguous()",
        new="            pass",
        test="models/test_layout.py::test_weights_lie_the_other_way_inside_and_as_before_afterwards",
    ),
    Mutant(
        name="an embedding is turned with the head it is tied to",
        incident="weights tied by name only",
        file="models/layout.py",
        old="if key not in looked_up and",
        new="if",
        test="models/test_layout.py::test_weights_lie_the_other_way_inside_and_as_before_afterwards",
    ),
    Mutant(
        name="a stop text stays in the answer",
        incident="stop strings",
        file="evals/answers.py",
        old="text[: min(found)] if found else text",
        new="text",
        test="pipeline/test_inference.py::test_stop_texts_end_answers_and_do_not_belong_to_them",
    ),
    Mutant(
        name="in the exact mode products take as many rows as there are",
        incident="T33 sampler and trainer disagree",
        file="models/invariant.py",
        old="whole = pad(flat, (0, 0, 0, -len(flat) % TILE))",
        new="whole = flat",
        test="models/test_invariant.py::test_so_they_do_where_kernels_differ_by_shape",
    ),
    Mutant(
        name="in the exact mode a tile is a power of two",
        incident="T33 sampler and trainer disagree",
        file="models/invariant.py",
        old="TILE = 48",
        new="TILE = 32",
        test="models/test_invariant.py::test_a_row_is_computed_alike_wherever_it_lies",
    ),
    Mutant(
        name="in the exact mode the sampler keeps its own formula",
        incident="T33 sampler and trainer disagree",
        file="models/draw.py",
        old="    if invariant.active():",
        new="    if False:",
        test="models/test_invariant.py::test_so_they_do_where_kernels_differ_by_shape",
    ),
]
