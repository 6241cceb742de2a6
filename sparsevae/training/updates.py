"""One update by a stock optimizer, and what surrounds it."""

import contextlib
import dataclasses
import inspect
from typing import Any

import keras
from keras import ops

from sparsevae.training.fusion import compiled


@dataclasses.dataclass(frozen=True)
class WhileActive:
    """A constraint that leaves the variables of an inactive group as they are."""

    constraint: Any
    active: keras.Variable

    def __call__(self, variable):
        active, before = ops.greater(self.active, 0.5), ops.convert_to_tensor(variable)
        return ops.where(active, self.constraint(before), before)


def check_config(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuses an optimizer that could not be copied for a group, or saved.

    Raises:
        ValueError: naming the arguments that its `get_config` leaves out.
    """
    arguments = list(inspect.signature(type(optimizer).__init__).parameters.values())[1:]
    named = {p.name for p in arguments if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    if lost := sorted(named - optimizer.get_config().keys()):
        raise ValueError(
            f"`get_config` of the optimizer {type(optimizer).__name__} must give all its "
            f"arguments. Received: a config without {', '.join(lost)}"
        )


def update_by(rule, grads, variables, learning_rate, after=lambda: None):
    """One update by an optimizer, then `after()`; fused where it is known how it is made."""

    def update():
        rule._backend_update_step(grads, variables, learning_rate)
        after()

    dense = all(hasattr(grad, "shape") and not hasattr(grad, "indices") for grad in grads)
    if dense and type(rule).__module__.startswith("keras."):
        compiled(update)
    else:
        update()


@contextlib.contextmanager
def without_shared_state(optimizer):
    """While it is built: no averages and accumulators, which the grouped optimizer keeps."""
    settings = {"use_ema": False, "gradient_accumulation_steps": None}
    kept = {name: getattr(optimizer, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(optimizer, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(optimizer, name, value)
