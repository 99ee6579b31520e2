"""The losses agree with those of TRL 1.16, in value and in gradient.

TRL's losses are methods of its trainers. A trainer is made without its constructor and given what the method reads,
and a model that answers with log-probabilities we choose, so that TRL's own code is what runs.
"""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from baro.objectives import preference

pytestmark = pytest.mark.slow

PROMPT, LENGTHS = 3, (4, 2, 5, 3, 1, 4)  # three chosen answers, then three rejected ones
WIDTH = PROMPT + max(LENGTHS)


def accelerator() -> SimpleNamespace:
    return SimpleNamespace(device=torch.device("cpu"), gather=lambda x: x, gather_for_metrics=lambda x: x)


@pytest.fixture(scope="module")
def trl():
    return pytest.importorskip("trl")


@pytest.fixture
def answers() -> dict[str, Tensor]:
    """completion_mask (6, WIDTH); log_probs and reference (6, WIDTH - 1), of which the masked ones count."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(6, WIDTH, dtype=torch.long)
    for row, n in enumerate(LENGTHS):
        mask[row, PROMPT : PROMPT + n] = 1
    log_probs, reference = (
        -torch.rand(6, WIDTH - 1, generator=generator, dtype=torch.float64) * mask[:, 1:] for _ in range(2)
    )
    return {"mask": mask, "log_probs": log_probs.requires_grad_(), "reference": reference}


def theirs(trl, answers: dict[str, Tensor], loss_type: str, **settings: float) -> Tensor:
    trainer = object.__new__(trl.DPOTrainer)
    blank = torch.zeros(6, WIDTH - 1)
    outputs = SimpleNamespace(
        log_probs=answers["log_probs"], entropy=blank, mean_logits=blank, is_top1=blank.bool(), log_sum_sq_probs=blank
    )
    vars(trainer).update(
        model=SimpleNamespace(training=False),
        accelerator=accelerator(),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        use_weighting=False,
        loss_types=[loss_type],
        loss_weights=[1.0],
        label_smoothing=0.0,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    vars(trainer).update(settings)
    chosen, rejected = answers["reference"].sum(1).chunk(2)
    inputs = {
        "input_ids": torch.zeros(6, WIDTH, dtype=torch.long),
        "attention_mask": torch.ones(6, WIDTH, dtype=torch.long),
        "completion_mask": answers["mask"],
        "ref_chosen_logps": chosen,
        "ref_rejected_logps": rejected,
    }
    return trainer._compute_loss(lambda **_: outputs, inputs, return_outputs=False)


def ratios(answers: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return (answers["log_probs"] - answers["reference"]).sum(1).chunk(2)


def means(answers: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return preference.per_token((answers["log_probs"] - answers["reference"]).sum(1), torch.tensor(LENGTHS)).chunk(2)


def assert_same(ours: Tensor, theirs: Tensor, *leaves: Tensor, atol: float = 1e-12) -> None:
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=0, check_dtype=False)
    for leaf in leaves:
        (a,), (b,) = (torch.autograd.grad(loss, leaf, retain_graph=True) for loss in (ours, theirs))
        assert a.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=atol, rtol=0)


def test_dpo(trl, answers):
    ours = preference.dpo(*ratios(answers), beta=0.3).mean()
    assert_same(ours, theirs(trl, answers, "sigmoid", beta=0.3), answers["log_probs"])


def test_hinge(trl, answers):
    ours = preference.hinge(*ratios(answers), beta=0.3).mean()
    assert_same(ours, theirs(trl, answers, "hinge", beta=0.3), answers["log_probs"])


def test_robust_dpo(trl, answers):
    ours = preference.rdpo(*ratios(answers), beta=0.3, label_smoothing=0.2).mean()
    assert_same(ours, theirs(trl, answers, "robust", beta=0.3, label_smoothing=0.2), answers["log_probs"])


def test_ipo_which_trl_takes_per_token(trl, answers):
    ours = preference.ipo(*means(answers), tau=0.3).mean()
    assert_same(ours, theirs(trl, answers, "ipo", beta=0.3), answers["log_probs"])


def test_length_normalised_dpo(trl, answers):
    ours = preference.dpo(*means(answers), beta=5.0).mean()
    assert_same(ours, theirs(trl, answers, "sigmoid_norm", beta=5.0), answers["log_probs"])


def cpo(loss_type: str, **settings: float) -> object:
    module = pytest.importorskip("trl.experimental.cpo")
    trainer = object.__new__(module.CPOTrainer)
    vars(trainer).update(accelerator=accelerator(), loss_type=loss_type, label_smoothing=0.0, alpha=0.0)
    vars(trainer).update(settings)
    return trainer


def test_conservative_dpo(trl, answers):
    # TRL's label smoothing lives in CPO, which is the same loss of plain log-probabilities instead of log-ratios
    chosen, rejected = ratios(answers)
    ours = preference.cdpo(chosen, rejected, beta=0.3, label_smoothing=0.2).mean()
    losses, *_ = cpo("sigmoid", beta=0.3, label_smoothing=0.2).cpo_loss(chosen, rejected)
    assert_same(ours, losses.mean(), answers["log_probs"])


def test_simpo(trl, answers):
    chosen, rejected = means(answers)
    ours = preference.simpo(chosen, rejected, beta=2.5, gamma=1.4).mean()
    losses, *_ = cpo("simpo", beta=2.5, simpo_gamma=1.4).cpo_loss(chosen, rejected)
    assert_same(ours, losses.mean(), answers["log_probs"])


def test_orpo(trl, answers):
    module = pytest.importorskip("trl.experimental.orpo")
    trainer = object.__new__(module.ORPOTrainer)
    vars(trainer).update(accelerator=accelerator(), beta=1.0)
    chosen, rejected = preference.per_token(answers["log_probs"].sum(1), torch.tensor(LENGTHS)).chunk(2)
    losses, *_ = trainer.odds_ratio_loss(chosen, rejected)
    # theirs is ln sigma, to be subtracted from the next-token loss, in single precision; ours is a loss
    assert_same(preference.orpo(chosen, rejected).mean(), -losses.mean(), answers["log_probs"], atol=1e-6)


@pytest.mark.parametrize("coefficient", [None, 0.01])
@pytest.mark.parametrize("margin", [None, (0.5, 0.0, 2.0)])
def test_reward_model(trl, coefficient, margin):
    trainer = object.__new__(trl.RewardTrainer)
    vars(trainer).update(
        model=SimpleNamespace(training=False),
        accelerator=accelerator(),
        args=SimpleNamespace(center_rewards_coefficient=coefficient),
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    scores = torch.tensor([1.0, -2.0, 0.3, 0.1, 0.5, 0.3], dtype=torch.float64, requires_grad=True)
    inputs: dict = {"attention_mask": torch.ones(6, 4)}
    if margin:
        inputs["margin"] = torch.tensor(margin, dtype=torch.float64)
    loss = trainer.compute_loss(lambda **_: SimpleNamespace(logits=scores[:, None]), inputs)
    chosen, rejected = scores.chunk(2)
    ours = preference.bradley_terry(chosen, rejected, margin=inputs.get("margin", 0.0))
    if coefficient:
        ours = ours + coefficient * preference.centering(chosen, rejected)
    assert_same(ours.mean(), loss, scores)
