"""Pictures.

In: finished arrays, tables and networkx graphs; a set of images for `plot_grid`. Out: matplotlib
figures, which the caller saves, and an animated GIF; pyplot is not used.
May import: numpy, pandas, matplotlib, pillow.
"""

from sparsevae.plots.animation import traversal_gif
from sparsevae.plots.density_map import mask_evolution
from sparsevae.plots.density_scores import score_against_density
from sparsevae.plots.depth_curves import layer_profile_curves
from sparsevae.plots.factor_cells import factor_latent_heatmap
from sparsevae.plots.gate_masks import masks
from sparsevae.plots.layer_links import mask_diagram
from sparsevae.plots.mosaic import grid, reconstructions, traversals
from sparsevae.plots.network_paths import wiring_diagram
from sparsevae.plots.pareto import front
from sparsevae.plots.rotation_curves import rotations
from sparsevae.plots.sample_grid import plot_grid
from sparsevae.plots.training import history

__all__ = [
    "factor_latent_heatmap",
    "front",
    "grid",
    "history",
    "layer_profile_curves",
    "mask_diagram",
    "mask_evolution",
    "masks",
    "plot_grid",
    "reconstructions",
    "rotations",
    "score_against_density",
    "traversal_gif",
    "traversals",
    "wiring_diagram",
]
