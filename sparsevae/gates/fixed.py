"""A given 0/1 mask."""

import base64
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.gates.gate import Gate


@keras.saving.register_keras_serializable("sparsevae")
class Fixed(Gate):
    """A mask that is given and never learns: known wiring, a pruning result, a random control.

    Args:
        mask: Array `(in_channels, out_channels)` of zeros and ones (or booleans).
    """

    def __init__(self, mask: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(mask, dict):  # from a saved config: the bits, packed
            bits = np.frombuffer(base64.b64decode(mask["bits"]), dtype=np.uint8)
            shape = tuple(mask["shape"])
            mask = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.size == 0 or not np.isin(mask, (0, 1)).all():
            raise ValueError(
                "`mask` must be an array (in_channels, out_channels) of zeros and ones. Received: "
                f"shape {mask.shape}, dtype {mask.dtype}, "
                f"values from {mask.min(initial=0)!r} to {mask.max(initial=0)!r}"
            )
        self._given = mask.astype("float32")

    def build(self, input_shape: tuple[int, int]) -> None:
        if tuple(input_shape) != self._given.shape:
            raise ValueError(
                f"The mask of a Fixed gate must have the shape {tuple(input_shape)} that its "
                f"layer's gates have. Received: shape {self._given.shape}"
            )
        super().build(input_shape)

    def _learning_mask(self, windows):
        del windows  # nothing is drawn
        return self._fixed_mask()

    def _fixed_mask(self):
        return ops.convert_to_tensor(self._given)

    def open_probability(self) -> Any:
        return self._fixed_mask()

    def get_config(self) -> dict:
        bits = base64.b64encode(np.packbits(self._given.astype(bool))).decode("ascii")
        return {**super().get_config(), "mask": {"shape": self._given.shape, "bits": bits}}
