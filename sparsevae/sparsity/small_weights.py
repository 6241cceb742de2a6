"""The naive baseline: L1 on plain kernels, then a cut by size."""

import keras
import numpy as np

from sparsevae.sparsity.links import by_name


def kernels(model: keras.Model) -> dict[str, keras.Variable]:
    """Kernels of all layers that have one, by name of layer."""
    return by_name(
        (layer.name, weight)
        for layer in model._flatten_layers()
        for weight in layer._trainable_variables
        if weight.name == "kernel"
    )


def share_below(model: keras.Model, threshold: float) -> dict[str, float]:
    """Share of kernel weights with |w| < threshold, in [0, 1], by layer and as `"all"`.

    An L1 penalty under Adam brings weights near zero, never to it, so its "sparsity" depends on
    the threshold: say which, and give the loss before and after `cut_below`.
    """
    _check_threshold(threshold)
    small = {n: np.abs(np.asarray(k)) < threshold for n, k in kernels(model).items()}
    share = {name: float(below.mean()) for name, below in small.items()}
    n_weights = sum(below.size for below in small.values())
    return {"all": sum(int(below.sum()) for below in small.values()) / n_weights, **share}


def cut_below(model: keras.Model, threshold: float) -> None:
    """Sets kernel weights with |w| < threshold to zero, in place."""
    _check_threshold(threshold)
    for kernel in kernels(model).values():
        value = np.asarray(kernel)
        kernel.assign(np.where(np.abs(value) < threshold, 0, value))


def _check_threshold(threshold):
    if not threshold >= 0:
        raise ValueError(f"`threshold` must be a float of at least 0. Received: {threshold!r}")
