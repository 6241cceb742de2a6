"""Gated dense layer."""

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer


@keras.saving.register_keras_serializable("sparsevae")
class GatedDense(GatedLayer, keras.layers.Dense):
    """`keras.layers.Dense` with one gate for each (input, unit): `x (K * M) + b`.

    Args:
        *args, **kwargs: Those of `keras.layers.Dense`, LoRA included (mask after K + B A).
        gate, granularity: See `GatedLayer`; `"weights"` are the links here.

    Raises:
        ValueError: for an unknown gate or granularity, or a gate that belongs to another layer.
    """

    stock_class = keras.layers.Dense

    def _linear(self, inputs, kernel):
        return ops.matmul(inputs, kernel)

    def _positions(self, input_shape):
        return input_shape[1:-1]
