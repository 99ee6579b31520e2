"""Bugs in where keys and values lie, and in who reads them."""

from __future__ import annotations

from mutant import Mutant

STORE = "models/test_store.py::test_what_was_stored_is_found_after_everything_that_happens_to_a_store"
STEP = "models/test_cache.py::test_the_next_token_attends_to_all_it_continues_and_nothing_else"
MIXED = "models/test_sample.py::test_answers_to_few_and_to_many_of_a_prompt_go_on_side_by_side"
LENGTHS = "models/test_sample.py::test_sequences_of_all_lengths_come_and_go"
ALONE = "models/test_sample.py::test_an_answer_does_not_depend_on_its_neighbours_or_their_order"

MUTANTS = [
    Mutant(
        name="of two sequences that change seats one overwrites the other before it is read",
        incident="T32 slot refill",
        file="models/store.py",
        old="circle = [stored[old].clone() for",
        new="circle = [stored[old] for",
        test=STORE,
    ),
    Mutant(
        name="a sequence moves into a slot whose own has not moved yet",
        incident="T32 slot refill",
        file="models/store.py",
        old="free = [new for new in moves if new not in read]",
        new="free = list(moves)",
        test=STORE,
    ),
    Mutant(
        name="the sequence that closes a hole leaves its last token behind",
        incident="T32 slot refill",
        file="models/store.py",
        old="start = self.end - size\n",
        new="size -= size > 0\n                    start = self.end - size - 1\n",
        test=STORE,
    ),
    Mutant(
        name="a longer store holds everything one column off",
        incident="T32 cache growth",
        file="models/store.py",
        old="narrow(axis, end - kept, kept).copy_(",
        new="narrow(axis, max(end - kept - 1, 0), kept).copy_(",
        test=STORE,
    ),
    Mutant(
        name="the newest token overwrites the one before it",
        incident="T12 trlx#509 (position ids)",
        file="models/store.py",
        old="            self.end += 1\n            return",
        new="            return",
        test=STORE,
    ),
    Mutant(
        name="a group is as wide as its first sequence",
        incident="T27 cascade attention, ragged groups",
        file="models/store.py",
        old="max(lengths[start:end])) for",
        new="lengths[start]) for",
        test=STEP,
    ),
    Mutant(
        name="a group's sequences are the next group's",
        incident="T27 cascade attention, ragged groups",
        file="models/cache.py",
        old="bias[start:end, :, width - wide :]",
        new="bias[-(end - start) :, :, width - wide :]",
        test=STEP,
    ),
    Mutant(
        name="what an earlier occupant of a slot has left is read on",
        incident="T32 slot refill",
        file="models/cache.py",
        old="hidden = torch.arange(width, 0, -1, device=like.device) > own",
        new="hidden = torch.arange(width, 0, -1, device=like.device) > width + 0 * own",
        test=STEP,
    ),
    Mutant(
        name="the first token of a shared prompt is not seen",
        incident="T26 prefix sharing",
        file="models/cache.py",
        old="torch.arange(ahead, 0, -1, device=like.device) > seen",
        new="torch.arange(ahead, 0, -1, device=like.device) >= seen",
        test=STEP,
    ),
    Mutant(
        name="a window over a shared prompt forgets the answer's own tokens",
        incident="T30 sliding window and prefix sharing",
        file="models/cache.py",
        old="seen = seen.minimum(window - own)",
        new="seen = seen.clamp(max=window - 1)",
        test=STEP,
    ),
    Mutant(
        name="answers read one another's prompt where several share theirs",
        incident="T26 prefix sharing",
        file="models/cache.py",
        old="* most + asked[:, 1:]",
        new="* most + asked[:, 1:].flip(0)",
        test=STEP,
    ),
    Mutant(
        name="an answer with a prompt of its own sees somebody's shared one",
        incident="T26 prefix sharing",
        file="models/cache.py",
        old="0 if home is None else prompts[home] for home in homes",
        new="prompts[home or 0] if prompts else 0 for home in homes",
        test=STEP,
    ),
    Mutant(
        name="a shared prompt goes when the first of its answers is finished",
        incident="T32 prefix eviction",
        file="models/sample.py",
        old="needed = {item.shared for item in self.live}",
        new="needed = {item.shared for item in self.live if item.number == 0}",
        test=MIXED,
    ),
    Mutant(
        name="a shared prompt goes while answers to it still wait",
        incident="T32 prefix eviction",
        file="models/sample.py",
        old=" | {self.open and self.open[0]}",
        new="",
        test="models/test_sample.py::test_a_prompt_prefilled_again_or_copied_gives_the_same",
    ),
    Mutant(
        name="shared prompts are never given up",
        incident="T32 prefix eviction",
        file="models/sample.py",
        old="if prompt in needed]",
        new="]",
        test=MIXED,
    ),
    Mutant(
        name="answers keep their order when their keys change seats",
        incident="T32 slot refill",
        file="models/sample.py",
        old="return [item for _, item in sorted(zip(seats, items, strict=True), key=lambda pair: pair[0])]",
        new="return items",
        test=LENGTHS,
    ),
    Mutant(
        name="a plan made while sampling cannot be trained with",
        incident="inference tensors in autograd",
        file="models/attention.py",
        old="@torch.inference_mode(False)  # a plan",
        new="# a plan",
        test="models/test_attention.py::test_what_is_first_needed_while_sampling_serves_training",
    ),
]
