"""The gradient of one variable, kept for who looks at it after the step."""

from typing import Any

import keras
from keras import ops


class KeptGradient:
    """The last whole gradient, and the part of the variable that the optimizer trains.

    Args:
        optimizer: Whose variables these are, so that they are saved with it.
        variable: A trained one.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variable: keras.Variable):
        self.gradient = optimizer.add_variable_from_reference(variable, "gradient")
        self.part = optimizer.add_variable_from_reference(variable, "trained_part", "ones")

    def seen(self, gradient: Any) -> Any:
        """What the optimizer sees of a gradient, which is kept whole."""
        self.gradient.assign(gradient)
        return gradient * ops.cast(self.part, gradient.dtype)
