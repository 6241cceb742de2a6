"""Gates: learnable masks over channel-to-channel links.

In: the shape (in_channels, out_channels) of a mask. Out: masks in [0, 1], densities, prices.
May import keras only, and of it `keras.ops`, so that gates run on any Keras backend; `training`.
"""

from typing import Any

import keras

from sparsevae.checks import check_choice
from sparsevae.gates.annealed_sigmoid import AnnealedSigmoid
from sparsevae.gates.binary import Binary
from sparsevae.gates.continuous import Continuous
from sparsevae.gates.fixed import Fixed
from sparsevae.gates.gate import Gate
from sparsevae.gates.hard_concrete import HardConcrete
from sparsevae.gates.pruned import Pruned
from sparsevae.gates.step import one_step, present_step

__all__ = [
    "AnnealedSigmoid",
    "Binary",
    "Continuous",
    "Fixed",
    "Gate",
    "HardConcrete",
    "Pruned",
    "get",
    "one_step",
    "present_step",
]

NAMES = {
    "hard_concrete": HardConcrete,
    "binary": Binary,
    "annealed_sigmoid": AnnealedSigmoid,
    "continuous": Continuous,
    "pruned": Pruned,
}


def get(identifier: Any, seed: int | None = None) -> Gate:
    """A gate from its name, its saved config, or a gate, which is returned as it is.

    Args:
        identifier: One of `NAMES`, a dict from `keras.saving.serialize_keras_object`, or a `Gate`.
        seed: For a name: the new gate's seed.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is none of these.
    """
    if isinstance(identifier, Gate):
        return identifier
    if isinstance(identifier, dict):
        return keras.saving.deserialize_keras_object(identifier)
    if not isinstance(identifier, str):
        raise TypeError(
            f"`gate` must be a name, a Gate or a saved config. Received: {identifier!r}"
        )
    check_choice("gate", identifier, NAMES)
    return NAMES[identifier](seed=seed)
