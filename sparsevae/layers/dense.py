"""Gated dense layer."""

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer


@keras.saving.register_keras_serializable("sparsevae")
class GatedDense(GatedLayer, keras.layers.Dense):
    """`keras.layers.Dense` with one gate for each (input, unit): `x (K * M) + b`.

    Args:
        *args, **kwargs: Those of `keras.layers.Dense`, LoRA included (mask after K + B A).
        gate: Name of a gate, a `Gate` of this layer's own, or a saved config.

    Raises:
        ValueError: for an unknown gate, or one that belongs to another layer.
    """

    stock_class = keras.layers.Dense

    @property
    def _out_channels(self):
        return self.units

    def _linear(self, inputs, kernel):
        return ops.matmul(inputs, kernel)

    def _positions(self, input_shape):
        return input_shape[1:-1]
