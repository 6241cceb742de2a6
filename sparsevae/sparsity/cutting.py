"""Opening and closing gates that have learned, so that just so many are open."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from sparsevae.layers import GatedLayer
from sparsevae.training import GroupedOptimizer, assign_when


def cut_when(
    now: Any,
    layers: Sequence[GatedLayer],
    optimizer: GroupedOptimizer | None,
    cut: Callable[[], tuple[Sequence[Any], Sequence[Any]]],
    notes: Sequence[keras.Variable],
) -> None:
    """Where `now`: gives gates new parameters, and their moving averages, which would undo it.

    Args:
        now: Boolean scalar.
        layers: With gates that can learn.
        optimizer: That may keep averages.
        cut: Gives the trainable weight of each layer's gate, and a value for each of the notes.
        notes: Variables to assign at the same time.
    """
    parameters = [layer.gate.trainable_variables[0] for layer in layers]
    kept = [optimizer.average_of(parameter) for parameter in parameters]
    averages = [average for average in kept if average is not None]

    def values():
        new, noted = cut()
        again = [value for value, average in zip(new, kept, strict=True) if average is not None]
        return [*new, *again, *noted]

    assign_when(now, [*parameters, *averages, *notes], values)
