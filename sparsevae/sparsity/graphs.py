"""Which models hardening, compaction and comparison take."""

from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.liveness import has_graph


def check_graphs(argument: str, model: Any) -> None:
    """Refuses what is neither a model whose graph is known nor one with such `networks`.

    Raises:
        TypeError: for what is no Keras model.
        ValueError: for a model that is subclassed or not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`{argument}` must be a Keras model. Received: {model!r}")
    for network in getattr(model, "networks", [model]):
        if not has_graph(network):
            raise ValueError(
                f"`{argument}` must be functional or a Sequential model that is built (give it a "
                "keras.Input, or call it once): a subclassed one hides its graph, so write it as "
                f"keras.Model(inputs, outputs). Received: {type(network).__name__} {network.name!r}"
            )


def check_finite(model: keras.Model) -> None:
    """Refuses a model with weights that are no numbers.

    Raises:
        ValueError: naming the first layer that has some.
    """
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model):
            continue
        for weight in layer.weights:
            values = ops.convert_to_numpy(ops.cast(weight, "float32"))
            if not np.isfinite(values).all():
                found = "NaN" if np.isnan(values).any() else "infinite"
                raise ValueError(
                    "`model` must have finite weights: this one has diverged, go back to a "
                    f"checkpoint. Received: {found} values in {weight.name!r} of layer "
                    f"{layer.name!r}"
                )
