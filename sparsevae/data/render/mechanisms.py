"""Images whose wiring is known: which factor changes which pixels.

A picture is 4 x 4 blocks of 8 x 8 pixels, and each block depends on a few factors only. So what a
sparse decoder has learned can be compared with the truth, where theory says that sparsity suffices
to find the factors and where it says nothing.
"""

import functools
import itertools

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import GroundTruthData

_N_VALUES = 8
_N_BLOCKS, _BLOCK = 4, 8  # blocks a side, pixels a side of a block
_DENSEST = 28  # of a film, in steps of the table; eight films fit into a byte
_MOST_FILMS = 8

_COUPLES = ((0, 1), (2, 3), (4, 5))
_GRAPHS = {  # factors of each block
    "anchors": [
        *((k,) for k in range(6)),
        *((k, (k + 1) % 6) for k in range(6)),
        *((k, k + 3) for k in range(3)),
        (0, 2, 4),
    ],
    "overlaps": [*itertools.combinations(range(6), 2), range(6)],
    "couples": [
        *(4 * _COUPLES),
        *(one + other for one, other in itertools.combinations(_COUPLES, 2)),
        range(6),
    ],
}


class BlockMechanisms(GroundTruthData):
    """Images `(32, 32, 1)` of 16 blocks, each of which depends on known factors.

    Each factor is a film with waves of its own direction, which its 8 values move by half a wave.
    Over each block lie the films of the factors it depends on; light passes through all of them,
    so their effects multiply. A factor changes every pixel of its blocks, and no other pixel.

    Args:
        graph: Which block depends on which factor: a name, or a boolean array `(n_factors, 16)`,
            blocks row by row, with 1 to 8 factors that each have a block. The named ones have six
            factors, 262,144 images:
            "anchors": each factor has a block of its own, and the other blocks have two or three.
            "overlaps": no block has fewer than two, but structural sparsity holds: what the blocks
            of a factor have in common is that factor alone.
            "couples": sparse, but 0 and 1, 2 and 3, 4 and 5 only occur together, so that structural
            sparsity fails for all: sparsity alone cannot tell the two of a couple apart.

    Attributes:
        graph: Booleans `(n_factors, 16)`: whether a block depends on a factor.
        pixel_graph: Booleans `(n_factors, 32, 32)`: the same for pixels.

    Raises:
        ValueError: if `graph` is an unknown name or an array that does not fit.

    References:
        Moran et al. 2022, Identifiable Deep Generative Models via Sparse Decoding, 2110.10804
        (anchor features); Zheng, Ng and Zhang 2022, On the Identifiability of Nonlinear ICA:
        Sparsity and Beyond, 2206.07751 (structural sparsity). Lachapelle et al. 2022,
        Disentanglement via Mechanism Sparsity Regularization, 2107.10098, have a criterion of the
        same kind for how latents depend on actions and on the past, which these images lack.
    """

    def __init__(self, graph: str | np.ndarray = "anchors") -> None:
        if isinstance(graph, str):
            check_choice("graph", graph, _GRAPHS)
            name = "mechanisms" if graph == "anchors" else f"mechanisms_{graph}"
            self.graph = np.stack(
                [np.isin(range(6), list(factors)) for factors in _GRAPHS[graph]], axis=1
            )
        else:
            name, self.graph = "mechanisms_custom", _checked(np.array(graph))
        n_factors = len(self.graph)
        self.pixel_graph = _of_pixels(self.graph)
        factor_space = FactorSpace(
            names=tuple(f"film_{k}" for k in range(n_factors)),
            sizes=(_N_VALUES,) * n_factors,
            values=(np.linspace(0, 1, _N_VALUES),) * n_factors,
        )
        super().__init__(name, "render", factor_space, (*self.pixel_graph.shape[1:], 1))

    def images(self, indices: np.ndarray) -> np.ndarray:
        factors = self.factors(indices)
        density = np.zeros((len(factors), self.pixel_graph[0].size), np.uint8)
        for film, values in zip(_films(self.graph.tobytes()), factors.T, strict=True):
            density += film[values]
        return _LIGHT[density].reshape(-1, *self.image_shape)


def anchored(graph: np.ndarray) -> np.ndarray:
    """Which factors have anchor features: at least two features that depend on no other factor.

    Args:
        graph: Booleans `(n_factors, n_features)`: whether a feature, such as a pixel, depends on a
            factor.

    Returns:
        Booleans `(n_factors,)`. If all hold, Moran et al. 2022 identify the factors.
    """
    graph = np.asarray(graph, bool)
    return (graph & (graph.sum(axis=0) == 1)).sum(axis=1) >= 2


def structurally_sparse(graph: np.ndarray) -> np.ndarray:
    """For which factors some set of features has this factor, and no other, in common.

    The condition of Zheng, Ng and Zhang 2022, theorem 1. A larger set has less in common, so it
    holds if it does for all features that depend on the factor.

    Args:
        graph: Booleans `(n_factors, n_features)`.

    Returns:
        Booleans `(n_factors,)`.
    """
    graph = np.asarray(graph, bool)
    return np.array(
        [row.any() and graph[:, row].all(axis=1).sum() == 1 for row in graph], dtype=bool
    )


def _checked(graph: np.ndarray) -> np.ndarray:
    fits = graph.dtype == bool and graph.ndim == 2 and graph.shape[1] == _N_BLOCKS**2
    if not fits or not 1 <= len(graph) <= _MOST_FILMS or not graph.any(axis=1).all():
        raise ValueError(
            f"`graph` must be one of {', '.join(map(repr, _GRAPHS))}, or booleans (n_factors, "
            f"{_N_BLOCKS**2}), 1 to {_MOST_FILMS} factors with a block each. "
            f"Received: dtype {graph.dtype}, shape {graph.shape}"
            + (", a factor without block" if fits and len(graph) else "")
        )
    return graph


@functools.cache
def _films(graph: bytes) -> np.ndarray:
    """Density of each film at each value, uint8 `(n_factors, 8, pixels)`, 0 ... 28."""
    covered = _of_pixels(np.frombuffer(graph, bool).reshape(-1, _N_BLOCKS**2))
    n_factors, size, _ = covered.shape
    angle, turn, y, x = np.meshgrid(
        np.pi * np.arange(n_factors) / n_factors,
        np.pi * np.arange(_N_VALUES) / (_N_VALUES - 1),
        np.arange(size) + 0.5,
        np.arange(size) + 0.5,
        indexing="ij",
    )
    # One wave a block.
    phase = 2 * np.pi / _BLOCK * (np.cos(angle) * x + np.sin(angle) * y) + turn
    density = np.round(_DENSEST / 2 * (1 + np.cos(phase))) * covered[:, None]
    return density.astype(np.uint8).reshape(n_factors, _N_VALUES, -1)


def _of_pixels(graph: np.ndarray) -> np.ndarray:
    """`(n_factors, height, width)` of a graph of blocks."""
    blocks = graph.reshape(-1, _N_BLOCKS, _N_BLOCKS)
    return blocks.repeat(_BLOCK, axis=1).repeat(_BLOCK, axis=2)


# Pixel value under films of this density together: the densest place of one lets half through.
_LIGHT = np.floor(255 * 0.5 ** (np.arange(256) / _DENSEST)).astype(np.uint8)
