"""Bugs in what is read and in what the doctor tells."""

from __future__ import annotations

from mutant import Mutant

FAULTS = "data/doctor/test_faults.py"

MUTANTS = [
    Mutant(
        name="answers that were judged bad are learnt",
        incident="a KTO file read as fine-tuning data",
        file="data/formats.py",
        old='if row.get("label") is False and "completion" in row:',
        new="if False:",
        test="data/test_sniff.py",
    ),
    Mutant(
        name="the last row of a group of duplicates is kept, not the first",
        incident="rows reported that are not the copies",
        file="data/doctor/duplicates.py",
        old="for place in places[1:])",
        new="for place in places[:-1])",
        test=FAULTS,
    ),
    Mutant(
        name="rows cut by max_length are measured by the whole row",
        incident="T20 trl#3398, #2332",
        file="data/doctor/tokens.py",
        old="size, left = len(side.tokens), sum(side.learn[1:limit])",
        new="size, left = len(side.tokens), sum(side.learn[1:])",
        test=FAULTS,
    ),
    Mutant(
        name="a second begin token goes unseen",
        incident="T16 axolotl#1616",
        file="data/doctor/tokens.py",
        old="side.tokens.count(self.traits.bos) > 1",
        new="side.tokens.count(self.traits.bos) > 2",
        test=FAULTS,
    ),
    Mutant(
        name="a pad token that ends answers goes unseen",
        incident="T14 trl#1623",
        file="data/doctor/tokens.py",
        old="tokenizer.pad_token_id in (traits.eos, traits.end_ids[-1])",
        new="tokenizer.pad_token_id == tokenizer.unk_token_id",
        test=FAULTS,
    ),
    Mutant(
        name="pairs of different prompts go unseen",
        incident="T18 trl#6433",
        file="data/doctor/pairs.py",
        old="    if own == other:\n        return None",
        new="    if own[:1] == other[:1]:\n        return None",
        test=FAULTS,
    ),
    Mutant(
        name="mojibake is never mended",
        incident="UTF-8 read as cp1252",
        file="data/doctor/text.py",
        old="return found if len(found) < len(text) else None",
        new="return found if len(found) > len(text) else None",
        test="data/test_convert.py",
    ),
    Mutant(
        name="chosen and rejected change places in a conversion",
        incident="ms-swift rows",
        file="data/dialects.py",
        old='pair = {"chosen": first.get("completion"), "rejected": second.get("completion")}',
        new='pair = {"chosen": second.get("completion"), "rejected": first.get("completion")}',
        test="data/test_sniff.py",
    ),
    Mutant(
        name="half of a source is its first half",
        incident="a mixture that is not drawn at random",
        file="data/weights.py",
        old="permutation(size, seed=seed, epoch=source)[:part]",
        new="permutation(size, seed=0, epoch=0)[:part]",
        test="data/test_sniff.py",
    ),
]
