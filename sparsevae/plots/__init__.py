"""Pictures.

In: finished arrays and tables. Out: matplotlib figures, which the caller saves; pyplot is not used.
May import: numpy, pandas, matplotlib.
"""

from sparsevae.plots.front import front
from sparsevae.plots.masks import masks
from sparsevae.plots.mosaic import grid, reconstructions, traversals
from sparsevae.plots.training import history

__all__ = ["front", "grid", "history", "masks", "reconstructions", "traversals"]
