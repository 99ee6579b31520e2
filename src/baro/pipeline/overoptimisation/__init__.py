"""Over-optimisation, measured: a gold judge labels pairs, proxies learn from few and many, and are pushed too far.

The functions of two stages of recipes/overoptimisation.yaml.
"""

from baro.pipeline.overoptimisation.labels import labels
from baro.pipeline.overoptimisation.measure import measure

__all__ = ["labels", "measure"]
