"""Bugs in layers that are computed in blocks of tokens, and in attention segment by segment."""

from __future__ import annotations

from mutant import Mutant

TESTS = "models/test_blocks.py"
EQUAL = TESTS + "::test_states_and_gradients_equal_the_modules"

MUTANTS = [
    Mutant(
        name="a state asked about twice teaches once",
        incident="T26 prefix sharing, gradient of what is shared",
        file="models/blocks.py",
        old="part.new_zeros(ctx.tokens, part.shape[1]).index_add_(0, at, part)",
        new="part.new_zeros(ctx.tokens, part.shape[1]).index_copy_(0, at, part)",
        test=EQUAL,
    ),
    Mutant(
        name="gradients of queries and keys keep the rotation",
        incident="T27 rotary positions, backward",
        file="models/blocks.py",
        old="slope = rotated(slope, cos[rows], sin[rows], back=True)",
        new="slope = rotated(slope, cos[rows], sin[rows])",
        test=EQUAL,
    ),
    Mutant(
        name="the slope of a norm forgets that rms depends on every number",
        incident="norm fused without its projection",
        file="models/blocks.py",
        old=".addcmul_(unit, share[:, None]).mul_(inverse)",
        new=".mul_(inverse)",
        test=TESTS + "::test_the_slope_of_a_norm_equals_finite_differences",
    ),
    Mutant(
        name="cosines of the first block serve all",
        incident="T27 position ids restart",
        file="models/blocks.py",
        old="made[part][rows] = rotated(heads, cos[rows], sin[rows])",
        new="made[part][rows] = rotated(heads, cos[: len(states)], sin[: len(states)])",
        test=EQUAL,
    ),
    Mutant(
        name="the last layer leaves out what attention brought",
        incident="residual of asked rows only",
        file="models/blocks.py",
        old="hidden, attended = hidden.index_select(0, at), attended.index_select(0, at)",
        new="hidden, attended = hidden.index_select(0, at), attended[: len(at)]",
        test=EQUAL,
    ),
    Mutant(
        name="a layer that computes otherwise passes for a known one",
        incident="architectures known by their names",
        file="models/support.py",
        old="plan), expected, 1e-5)",
        new="plan), expected, 1e-1)",
        test=TESTS + "::test_a_layer_that_looks_alike_and_computes_otherwise_is_found_out",
    ),
    Mutant(
        name="the exact mode runs in blocks",
        incident="T32 sampler and trainer differ",
        file="models/trunk.py",
        old="not (invariant.active() or recomputed(model) or is_view(model))",
        new="not (recomputed(model) or is_view(model))",
        test=TESTS + "::test_the_exact_mode_and_recomputed_layers_use_the_modules",
    ),
    Mutant(
        name="a fresh adapter is computed otherwise than its reference",
        incident="T35 reference is not the start",
        file="models/trunk.py",
        old="or is_view(model))",
        new=")",
        test="models/test_adapters.py::test_a_fresh_adapter_changes_no_bit",
    ),
    Mutant(
        name="answers and their prompt are added without their shares",
        incident="T26 prefix sharing",
        file="models/segments.py",
        old="output[:, :, rows] *= (total[:, :, rows] - both).exp_()[..., None]",
        new="output[:, :, rows] *= 0.5",
        test="models/test_segments.py::test_outputs_and_gradients_are_those_of_the_definition",
    ),
    Mutant(
        name="a prompt learns from its first answer alone",
        incident="T26 prefix sharing, gradient of the keys",
        file="models/segments.py",
        old="places = (rows, seen, seen)",
        new="places = (rows, rows, rows)",
        test="models/test_segments.py::test_outputs_and_gradients_are_those_of_the_definition",
    ),
    Mutant(
        name="an answer asks another prompt",
        incident="T26 sequences see each other",
        file="models/segments.py",
        old="first, last = starts[owner], starts[owner] + common",
        new="first, last = starts[0], starts[0] + common",
        test="models/test_segments.py::test_outputs_and_gradients_are_those_of_the_definition",
    ),
    Mutant(
        name="windows are forgotten where sequences attend one by one",
        incident="T30 sliding windows",
        file="models/attention.py",
        old="far = rule.window is None or rule.window >= max(length for _, length in self.buckets)",
        new="far = True",
        test="models/test_segments.py::test_rules_it_does_not_know_are_left_to_blocks",
    ),
]
