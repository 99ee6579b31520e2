"""Code that reads well and badly: real and made-up programs spoilt in known ways, for a reward model of readability."""

from baro.playground.code.pairs import export

__all__ = ["export"]
