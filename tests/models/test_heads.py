from __future__ import annotations

import pytest
import torch

from baro.core.errors import BaroError
from baro.models import forward, heads

KIND = "AutoModelForSequenceClassification"


@pytest.mark.invariant("I19")
def test_normalised_scores_have_mean_zero_and_variance_one(make, make_row):
    model, batch = make("llama", KIND, num_labels=1), make_row((5, 9, 3, 7, 12))
    bare = forward.scores(model, batch)
    gain, bias = heads.normalise(model, bare.tolist())
    found = forward.scores(model, batch)
    assert found.mean().item() == pytest.approx(0, abs=1e-9)
    assert found.var(correction=0).item() == pytest.approx(1, abs=1e-9)
    assert torch.equal(found.argsort(), bare.argsort())
    torch.testing.assert_close(found, gain * bare + bias)
    torch.testing.assert_close(forward.scores(model, batch, normalised=False), bare)


def test_normalising_twice_changes_nothing(make, make_row):
    model, batch = make("llama", KIND, num_labels=1), make_row((5, 9, 3))
    first = heads.normalise(model, forward.scores(model, batch).tolist())
    assert heads.normalise(model, forward.scores(model, batch).tolist()) == pytest.approx(first, abs=1e-9)


def test_normalisation_by_hand(make):
    model = make("llama", KIND, num_labels=1)
    assert heads.normalisation(model) == (1.0, 0.0)
    assert heads.normalise(model, [1.0, 5.0]) == (0.5, -1.5)
    assert heads.normalise(model, [3.0, 3.0]) == (0.5, -4.5), "scores that do not vary are only centred"
    with pytest.raises(BaroError, match="no reference scores"):
        heads.normalise(model, [])


@pytest.mark.invariant("I32", "I14")
def test_a_zero_head_gives_zeros(make, make_row):
    model, batch = make("llama", KIND, num_labels=1), make_row((5, 9))
    heads.zero_head(model)
    assert (forward.values(model, batch) == 0).all()
    assert (forward.scores(model, batch) == 0).all()
    forward.values(model, batch).sum().backward()
    assert (model.score.weight.grad != 0).any(), "it can leave zero"


def test_a_fresh_head_has_the_spread_of_its_paper(make):
    model = make("llama", KIND, num_labels=1)
    model.score = torch.nn.Linear(4000, 1, bias=False)
    heads.initialise_head(model, seed=3)
    assert model.score.weight.std().item() == pytest.approx(4001**-0.5, rel=0.05)
    first = model.score.weight.clone()
    heads.initialise_head(model, seed=3)
    assert torch.equal(first, model.score.weight)
    heads.initialise_head(model, seed=4)
    assert not torch.equal(first, model.score.weight)


def test_a_language_model_has_no_scores_and_two_labels_are_refused(make, make_row):
    with pytest.raises(BaroError, match="no score head"):
        forward.scores(make("llama"), make_row((4,)))
    with pytest.raises(BaroError, match="2 numbers"):
        forward.scores(make("llama", KIND, num_labels=2), make_row((4,)))
