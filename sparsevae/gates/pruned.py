"""A 0/1 mask that a control sets."""

from typing import Any

import keras
from keras import ops

from sparsevae.gates.gate import Gate


@keras.saving.register_keras_serializable("sparsevae")
class Pruned(Gate):
    """A 0/1 mask that learns nothing itself: a control, such as magnitude pruning, sets it.

    All links are open until it does. The mask is a variable, saved with the model.

    Args:
        dense_gradient: Whether the gradient reaches the kernel of closed links too, as top-k
            projection and RigL need. A control sets it.
        seed: See `Gate`.
    """

    def __init__(self, dense_gradient: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.dense_gradient = dense_gradient

    def build(self, input_shape: tuple[int, int]) -> None:
        super().build(input_shape)
        self.open = self._add_state("open", "ones", None, self.mask_shape)

    def call(
        self,
        kernel: Any,
        transposed: bool = False,
        training: bool = False,
        dtype: str = "float32",
        priced: bool = False,
    ) -> Any:
        """As `Gate.call`; with the dense gradient, if asked for."""
        if not (training and self.dense_gradient):
            return super().call(kernel, transposed, training, dtype, priced)
        kernel = ops.convert_to_tensor(kernel)
        is_open = ops.transpose(self.open) if transposed else self.open
        closed = ops.stop_gradient(ops.multiply(kernel, ops.subtract(1.0, is_open)))
        product = ops.cast(ops.subtract(kernel, closed), dtype)
        return (product, ops.zeros((), "float32")) if priced else product

    @property
    def mask_variables(self) -> list[keras.Variable]:
        return [self.open]

    def _learning_mask(self, windows):
        del windows  # nothing is drawn
        return self._fixed_mask()

    def _fixed_mask(self):
        return ops.convert_to_tensor(self.open)

    def open_probability(self) -> Any:
        return self._fixed_mask()

    def get_config(self) -> dict:
        return {**super().get_config(), "dense_gradient": self.dense_gradient}
