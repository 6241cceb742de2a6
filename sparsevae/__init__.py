"""Sparse variational autoencoders in Keras 3: train, measure, prune, export.

Rooms load when they are first used (PEP 562), so `import sparsevae` costs nothing and
`sparsevae.metrics` never loads TensorFlow. Loading a `.keras` file that holds gated layers
needs their classes: `import sparsevae.models` registers all of them.
"""

import importlib

__version__ = "0.1.0"

_ROOMS = (
    "analysis",
    "data",
    "export",
    "gates",
    "layers",
    "metrics",
    "models",
    "objectives",
    "plots",
    "records",
    "report",
    "sparsity",
    "study",
    "training",
)
_NAMES = {
    "SparseVAE": "models",
    "compact": "sparsity",
    "harden": "sparsity",
    "sparsify": "sparsity",
}

__all__ = [*_ROOMS, *_NAMES]


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
