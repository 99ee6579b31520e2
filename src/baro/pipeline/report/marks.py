"""How each model looks in every chart: a colour of the Okabe–Ito palette and a marker, so that colour is never needed.

Okabe & Ito, "Color Universal Design" (2008). The colours themselves are CSS variables `--m-0` … in style.css, one set
for light and one for dark; here a model only gets its place among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# matplotlib's marker -> the same shape as an SVG path in a 16 × 16 box.
SHAPES = {
    "o": "M8 3.2a4.8 4.8 0 1 0 0 9.6a4.8 4.8 0 1 0 0-9.6z",
    "s": "M3.6 3.6h8.8v8.8h-8.8z",
    "^": "M8 2.6L13.2 12.6H2.8z",
    "v": "M8 13.4L2.8 3.4H13.2z",
    "D": "M8 2.2L13.8 8L8 13.8L2.2 8z",
    "P": "M6 2.6h4v3.4h3.4v4h-3.4v3.4h-4v-3.4h-3.4v-4h3.4z",
    "X": "M5.2 2.8L8 5.6L10.8 2.8L13.2 5.2L10.4 8L13.2 10.8L10.8 13.2L8 10.4L5.2 13.2L2.8 10.8L5.6 8L2.8 5.2z",
    "<": "M2.6 8L12.6 2.8V13.2z",
    ">": "M13.4 8L3.4 13.2V2.8z",
    "p": "M8 2.4L13.6 6.5L11.5 13H4.5L2.4 6.5z",
    "h": "M8 2.2L13 5.1V10.9L8 13.8L3 10.9V5.1z",
    "d": "M8 1.8L11.8 8L8 14.2L4.2 8z",
}
OWN = {
    "base": (0, "o"),
    "sft": (1, "s"),
    "rejection": (2, "^"),
    "rejection_control": (3, "v"),
    "dpo": (4, "D"),
    "ppo": (5, "P"),
    "ppo_no_kl": (6, "X"),
    "rloo": (7, ">"),
    "grpo": (7, "h"),
    "group": (7, "p"),
    "kto": (6, "d"),
    "online_dpo": (3, "p"),
}
COLOURS = 8
_FREE_MARKERS = ("<", ">", "p", "h", "d")


@dataclass(frozen=True)
class Mark:
    """The place of a model's colour (`--m-<colour>` in style.css), matplotlib's marker and the same shape for HTML."""

    colour: int
    marker: str

    @property
    def shape(self) -> str:
        """The marker as the `d` of an SVG path in a 16 × 16 box."""
        return SHAPES[self.marker]


def marks(models: Iterable[str]) -> dict[str, Mark]:
    """A mark for every model: the usual ones always look alike, others take turns through what is left."""
    found, turn = {}, 0
    for model in models:
        if model in OWN:
            found[model] = Mark(*OWN[model])
        else:
            found[model] = Mark((7 + turn) % COLOURS, _FREE_MARKERS[turn % len(_FREE_MARKERS)])
            turn += 1
    return found
