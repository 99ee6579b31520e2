"""Bugs in choosing data and in what is measured about it."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    Mutant(
        name="IFD divides the other way round",
        incident="of our own: the hardest rows would be dropped",
        file="evals/difficulty.py",
        old="return self.given / self.alone if",
        new="return self.alone / self.given if",
        test="evals/test_difficulty.py",
    ),
    Mutant(
        name="the ratio of perplexities is that of losses",
        incident="of our own: the two definitions of IFD taken for one",
        file="evals/difficulty.py",
        old="return math.exp(min(self.given - self.alone, 700.0))",
        new="return self.ifd",
        test="evals/test_difficulty.py",
    ),
    Mutant(
        name="the instruction is counted in the loss of the answer alone",
        incident="of our own: L(A) over other tokens than L(A|Q)",
        file="evals/difficulty.py",
        old="if learn]\n    return Sequence([begin",
        new="]\n    return Sequence([begin",
        test="evals/test_difficulty.py",
    ),
    Mutant(
        name="scores go to the rows sorted by length",
        incident="of our own: a silent shuffle",
        file="evals/difficulty.py",
        old="            found[order[place]] = -total / count if count else math.nan",
        new="            found[place] = -total / count if count else math.nan",
        test="evals/test_difficulty.py",
    ),
    Mutant(
        name="an unknown score ranks first",
        incident="of our own: NaN sorts to the end",
        file="data/curate/select.py",
        old="    found = np.zeros(len(array))\n",
        new="    found = np.ones(len(array))\n",
        test="data/curate/test_select.py",
    ),
    Mutant(
        name="diversity measures the distance to the last row only",
        incident="of our own",
        file="data/curate/select.py",
        old="distance = np.minimum(distance, 1 - units @ units[best])",
        new="distance = 1 - units @ units[best]",
        test="data/curate/test_select.py",
    ),
    Mutant(
        name="the classifier is tested on what it has learnt by heart",
        incident="of our own: an AUC that cannot be low",
        file="data/curate/learnt.py",
        old='unseen = cross_val_predict(build(), labelled, right, cv=folds, method="predict_proba")[:, 1]',
        new="unseen = build().fit(labelled, right).predict_proba(labelled)[:, 1]",
        test="data/curate/test_learnt.py",
    ),
    Mutant(
        name="ties count as won in the AUC",
        incident="of our own",
        file="data/curate/learnt.py",
        old='above = np.searchsorted(bad, held[right], side="left")',
        new='above = np.searchsorted(bad, held[right], side="right")',
        test="data/curate/test_learnt.py",
    ),
    Mutant(
        name="the kept rows lose columns of their own",
        incident="of our own",
        file="pipeline/curation/choose.py",
        old='(table.rows[row] | {"curated"',
        new='({"instruction": table.instructions[row]} | {"curated"',
        test="pipeline/curation/test_choose.py",
    ),
]
