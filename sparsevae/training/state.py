"""Code that changes variables around Keras's training step, on every backend."""

from collections.abc import Callable
from typing import Any

import keras


def around(model: keras.Model, given: tuple) -> "InPlace | Functional":
    """What runs code around a `train_step` that was called with `given`."""
    return Functional(model, *given) if len(given) == 2 else InPlace(given)


class InPlace:
    """Where a step changes variables as they are: TensorFlow and torch."""

    def __init__(self, given: tuple):
        self.given = given

    def run(self, function: Callable[[], Any]) -> Any:
        """`function()`, which may read and assign variables; outside of any gradient."""
        if keras.backend.backend() != "torch":
            return function()
        import torch

        with torch.no_grad():
            return function()

    def step(self, train_step: Callable[..., Any]) -> None:
        """The step itself."""
        self.result = train_step(*self.given)


class Functional:
    """Where a step is given the state of all variables and gives it back: JAX."""

    def __init__(self, model: keras.Model, state: tuple, data: Any):
        self._variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        self._state, self._data = state, data

    def run(self, function: Callable[[], Any]) -> Any:
        """As `InPlace.run`."""
        pairs = [
            pair
            for variables, values in zip(self._variables, self._state, strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            result = function()
        self._state = tuple(
            [scope.get_current_value(variable) for variable in variables]
            for variables in self._variables
        )
        return result

    def step(self, train_step: Callable[..., Any]) -> None:
        """As `InPlace.step`."""
        self._logs, self._state = train_step(self._state, self._data)

    @property
    def result(self) -> tuple:
        """What a train step gives: logs and state."""
        return self._logs, self._state
