"""How numbers are written, each expected text written by hand."""

from __future__ import annotations

import math

import pytest

from baro.pipeline.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.914, "0.91"),
        (0.0, "0.00"),
        (-0.0001, "−0.00010"),
        (0.0031, "0.0031"),
        (0.04, "0.04"),
        (-1.2, "−1.20"),
        (12.34, "12.3"),
        (147.2, "147"),
        (12345.6, "12,346"),
        (7, "7.00"),
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "–"),
        (True, "–"),
        ("0.9", "–"),
    ],
)
def test_number(value, text):
    assert numbers.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.29, "+0.29"), (-0.29, "−0.29"), (0.0, "0.00")])
def test_signed(value, text):
    assert numbers.number(value, signed=True) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.84, "84%"), (0.996, "99.6%"), (0.004, "0.4%"), (1.0, "100%"), (0, "0%"), (None, "–")]
)
def test_percent(value, text):
    assert numbers.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-0.01, "−1"), (0.25, "+25"), (-0.013, "−1.3"), (0.0, "0"), (0.0001, "0"), (None, "–")]
)
def test_percentage_points(value, text):
    assert numbers.points(value) == text


def test_intervals():
    assert numbers.interval(0.89, 0.93) == "[0.89, 0.93]"
    assert numbers.interval(None, 0.93) == ""
    assert numbers.share_interval(0.81, 0.87) == "[81, 87]"


@pytest.mark.parametrize(
    ("value", "english", "korean"),
    [
        (4.23, "4.2 s", "4.2초"),
        (59.6, "60 s", "60초"),
        (192, "3 min 12 s", "3분 12초"),
        (3599.7, "1 h 0 min", "1시간 0분"),
        (7500, "2 h 5 min", "2시간 5분"),
        (None, "–", "–"),
    ],
)
def test_seconds(value, english, korean):
    assert numbers.seconds(value) == {"en": english, "ko": korean}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (512, "512 B"),
        (2048, "2.0 KiB"),
        (96_000_000, "92 MiB"),
        (1023.6 * 2**20, "1.0 GiB"),
        (1.5 * 2**30, "1.5 GiB"),
        (2**40 * 3, "3.0 TiB"),
        (0, "0 B"),
        (None, "–"),
    ],
)
def test_size(value, text):
    assert numbers.size(value) == text


def test_count():
    assert numbers.count(6_291_456) == "6,291,456"
    assert numbers.count(None) == "–"
