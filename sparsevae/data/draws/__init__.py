"""Ways to draw from a set with factors: biased, in pairs, with few labels.

In: a set with factors, a generator. Out: numbers of images. May import: what a set is.
"""

from sparsevae.data.draws.distributions import FactorDistribution
from sparsevae.data.draws.labels import draw_labels
from sparsevae.data.draws.pairs import draw_pairs
from sparsevae.data.draws.weak import FewLabels, Pairs

__all__ = ["FactorDistribution", "FewLabels", "Pairs", "draw_labels", "draw_pairs"]
