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
        old="permutation(len(source), seed=seed, epoch=number)[:part]",
        new="permutation(len(source), seed=0, epoch=0)[:part]",
        test="data/test_sniff.py",
    ),
    Mutant(
        name="the reader keeps every row it has gone through",
        incident="files larger than memory",
        file="data/read.py",
        old="return (each.record for each in self._all() if each.problem is None)",
        new="return iter([each.record for each in self._all() if each.problem is None])",
        test="data/test_store.py",
    ),
    Mutant(
        name="a token kept on the disk forgets that it is learnt",
        incident="T12: masks that train nothing",
        file="data/store.py",
        old="learn = (marked >= LEARNT).tolist()",
        new="learn = (marked > LEARNT + size).tolist()",
        test="data/test_store.py",
    ),
    Mutant(
        name="of a part of a mixture the wrong rows are seen",
        incident="weights below one",
        file="data/weights.py",
        old="sorted(chosen.tolist())",
        new="chosen.tolist()",
        test="data/test_sniff.py",
    ),
    Mutant(
        name="duplicates that lie in different stretches go unseen once hashes are on the disk",
        incident="files larger than memory",
        file="data/doctor/duplicates.py",
        old='file.write(entries[entries["key"] % FILES == number].tobytes())',
        new='file.write(entries[entries["place"] % FILES == number].tobytes())',
        test="data/doctor/test_stretch.py",
    ),
    Mutant(
        name="rows behind a stretch of many letters are looked at under the places of others",
        incident="wrong rows named",
        file="data/doctor/examine.py",
        old="first, letters, held = place + 1, 0, []",
        new="first, letters, held = place, 0, []",
        test="data/doctor/test_stretch.py",
    ),
]
