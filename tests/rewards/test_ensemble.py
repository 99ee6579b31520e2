"""Ensembles by closed forms: what each way of combining keeps of a feature, and what it makes of disagreement."""

import pytest
import torch
from torch import nn

from baro.core.errors import BaroError
from baro.rewards.ensemble import averaged, bounded, combine, disagreement


def test_one_member_is_itself_however_it_is_combined():
    scores = torch.tensor([[0.3, -1.0, 2.0]])
    for how in ("mean", "min", "lcb"):
        assert torch.equal(combine(scores, how), scores[0])
    assert disagreement(scores).tolist() == [0.0, 0.0, 0.0]


def test_two_members_by_hand():
    scores = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert combine(scores, "mean").tolist() == [2.0, 5.0]
    assert combine(scores, "min").tolist() == [1.0, 5.0]
    assert disagreement(scores).tolist() == [1.0, 0.0]
    assert combine(scores, "lcb", caution=0.5).tolist() == [1.5, 5.0]
    # of two members the lowest is exactly one standard deviation below the mean
    assert torch.equal(combine(scores, "lcb", caution=1.0), combine(scores, "min"))


def test_caution_is_invariant_to_who_is_first_and_follows_the_unit():
    scores = torch.randn(5, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for how in ("mean", "min", "lcb"):
        plain = combine(scores, how, caution=0.7)
        assert torch.allclose(combine(scores.flip(0), how, caution=0.7), plain)
        assert torch.allclose(combine(3 * scores + 2, how, caution=0.7), 3 * plain + 2)
        assert (plain <= combine(scores, "mean") + 1e-12).all()


class TwoLayers(nn.Module):
    """r = Σ_j head_j · seen_j · x_j: a member that noticed feature j sees and weighs it; one that did not, neither."""

    def __init__(self, noticed: torch.Tensor) -> None:
        super().__init__()
        self.seen, self.head = nn.Parameter(noticed.clone()), nn.Parameter(noticed.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.seen * self.head).sum(-1)


def test_averaging_weights_forgets_rare_features_where_averaging_scores_keeps_them():
    # WARM, section 4: a feature that a share p of the members noticed weighs p in the ensemble, p² in the average
    shares, members = torch.tensor([1.0, 0.9, 0.5, 0.1], dtype=torch.float64), 4000
    noticed = (
        torch.rand(members, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) < shares
    ).double()
    models = [TwoLayers(row) for row in noticed]
    features = torch.eye(4, dtype=torch.float64)
    together = torch.stack([model(features) for model in models]).mean(0)
    merged = averaged(models)(features)
    assert together.tolist() == pytest.approx(shares.tolist(), abs=0.02)
    assert merged.tolist() == pytest.approx((shares**2).tolist(), abs=0.02)
    assert merged.tolist() == pytest.approx((noticed.mean(0) ** 2).tolist(), abs=1e-9)


def test_the_average_of_equal_models_is_the_model():
    torch.manual_seed(0)
    one = nn.Linear(3, 2)
    other = nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    assert all(torch.equal(before[name], tensor) for name, tensor in averaged([one, other]).state_dict().items())


def test_models_of_different_shapes_are_refused():
    with pytest.raises(BaroError, match="different shapes"):
        averaged([nn.Linear(3, 2), nn.Linear(4, 2)])


def test_the_bounded_reward_is_one_half_at_the_reference_and_never_leaves_0_to_1():
    scores = torch.tensor([-1e3, -2.0, 0.0, 2.0, 1e3], dtype=torch.float64)
    found = bounded(scores, torch.zeros(5, dtype=torch.float64))
    assert found[2] == 0.5
    assert ((found >= 0) & (found <= 1)).all()
    assert (found.diff() > 0).all()
    # an answer and its reference change places: the two rewards sum to 1
    assert torch.allclose(bounded(scores, scores.flip(0)) + bounded(scores.flip(0), scores), torch.ones(5).double())
    # only the distance counts
    assert torch.allclose(bounded(scores + 7, torch.full((5,), 7.0).double()), found)
