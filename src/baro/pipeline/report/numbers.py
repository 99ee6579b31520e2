"""How numbers are written: few digits, a true minus sign, always the same for the page and the terminal."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"


def known(value: Any) -> float | None:
    """`value` as a finite float; None for null, NaN, infinities and anything that is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, *, signed: bool = False) -> str:
    """Two decimals, fewer for large numbers, more below 0.01: 0.91, −1.20, 12.3, 147, 0.0031.

    What is below 0.00005 is shown as 0.00. A dash when unknown.
    """
    value = known(value)
    if value is None:
        return MISSING
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    if 0.00005 <= size < 0.00995:
        digits = 1 - math.floor(math.log10(size))
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def percent(value: Any, *, unit: str = "%") -> str:
    """A share as a percentage; a decimal only close to 0 and 1, where it tells something."""
    value = known(value)
    if value is None:
        return MISSING
    near = 0 < value < 0.01 or 0.99 < value < 1
    return f"{100 * value:.{1 if near else 0}f}{unit}".replace("-", "−")


def points(value: Any) -> str:
    """A difference of two shares in percentage points, with its sign: −1, +25, 0."""
    value = known(value)
    if value is None:
        return MISSING
    text = f"{100 * value:+.{0 if abs(value) >= 0.095 else 1}f}".replace("-", "−").replace(".0", "")
    return text if text.strip("+−0.") else "0"


def interval(low: Any, high: Any, *, write: Any = number) -> str:
    """`[0.89, 0.93]`; empty when either end is unknown."""
    if known(low) is None or known(high) is None:
        return ""
    return f"[{write(low)}, {write(high)}]"


def share_interval(low: Any, high: Any) -> str:
    """`[81, 87]` in per cent; empty when either end is unknown."""
    return interval(low, high, write=lambda value: percent(value, unit=""))


def seconds(value: Any) -> dict[str, str]:
    """A duration in both languages: 8.4 s, 3 min 12 s, 2 h 5 min."""
    value = known(value)
    if value is None:
        return {"en": MISSING, "ko": MISSING}
    if value < 59.95:
        text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
        return {"en": f"{text} s", "ko": f"{text}초"}
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return {"en": f"{minutes} min {rest} s", "ko": f"{minutes}분 {rest}초"}
    hours, minutes = divmod(round(value / 60), 60)
    return {"en": f"{hours} h {minutes} min", "ko": f"{hours}시간 {minutes}분"}


def size(value: Any) -> str:
    """Bytes in powers of 1024: 412 MiB, 1.3 GiB."""
    value = known(value)
    if value is None:
        return MISSING
    power = min(4, int(math.log(max(value, 1) / 0.9995, 1024)))
    value, unit = value / 1024**power, ("B", "KiB", "MiB", "GiB", "TiB")[power]
    return f"{value:.1f} {unit}" if value < 9.95 and power else f"{value:,.0f} {unit}"


def count(value: Any) -> str:
    """A whole number with thousands separated."""
    value = known(value)
    return MISSING if value is None else f"{value:,.0f}"
