"""Pictures.

In: finished arrays and tables; a set of images for `plot_grid`. Out: matplotlib figures, which the
caller saves; pyplot is not used.
May import: numpy, pandas, matplotlib.
"""

from sparsevae.plots.gate_masks import masks
from sparsevae.plots.mosaic import grid, reconstructions, traversals
from sparsevae.plots.pareto import front
from sparsevae.plots.rotation_curves import rotations
from sparsevae.plots.sample_grid import plot_grid
from sparsevae.plots.training import history

__all__ = [
    "front",
    "grid",
    "history",
    "masks",
    "plot_grid",
    "reconstructions",
    "rotations",
    "traversals",
]
