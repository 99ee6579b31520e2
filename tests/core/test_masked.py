import pytest
import torch

from baro.core.masked import masked_mean, masked_sum, masked_variance

NAN, INF = float("nan"), float("inf")
VALUES = torch.tensor([[1.0, 2.0, NAN], [4.0, INF, 7.0]])
MASK = torch.tensor([[True, True, False], [True, False, True]])


@pytest.mark.incident("T11")
def test_what_the_mask_leaves_out_may_be_anything():
    assert masked_sum(VALUES, MASK).item() == 14
    assert masked_mean(VALUES, MASK).item() == 3.5
    # squares of the distances to 3.5: 6.25 + 2.25 + .25 + 12.25
    assert masked_variance(VALUES, MASK).item() == pytest.approx(21 / 4)


@pytest.mark.incident("T11")
def test_the_gradient_of_what_is_left_out_is_exactly_0():
    values = VALUES.clone().requires_grad_()
    masked_mean(values, MASK).backward()
    assert values.grad.tolist() == [[0.25, 0.25, 0.0], [0.25, 0.0, 0.25]]


def test_along_one_dimension():
    assert masked_sum(VALUES, MASK, dim=1).tolist() == [3, 11]
    assert masked_mean(VALUES, MASK, dim=1).tolist() == [1.5, 5.5]
    assert masked_mean(VALUES, MASK, dim=0).tolist() == [2.5, 2.0, 7.0]


@pytest.mark.incident("T20")
def test_nothing_selected_gives_0_and_no_nan():
    nothing = torch.zeros_like(MASK)
    assert masked_sum(VALUES, nothing).item() == 0
    assert masked_mean(VALUES, nothing).item() == 0
    assert masked_variance(VALUES, nothing).item() == 0
    rows = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(VALUES, rows, dim=1).tolist() == [1.5, 0.0]


def test_the_variance_is_that_of_the_population():
    assert masked_variance(torch.tensor([1.0, 3.0]), torch.tensor([True, True])).item() == 1.0  # not 2
    assert masked_variance(torch.tensor([1.0]), torch.tensor([True])).item() == 0.0


def test_precision_is_kept():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert masked_sum(VALUES.to(dtype), MASK).dtype == dtype
