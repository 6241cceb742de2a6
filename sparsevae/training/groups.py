"""Groups of variables that an optimizer trains by rules of their own."""

import dataclasses
from collections.abc import Iterable

import keras

_MARK = "optimizer_group"  # attribute of a variable


def assign_group(variables: Iterable[keras.Variable], name: str) -> None:
    """Says which group of a `GroupedOptimizer` trains these variables."""
    for variable in variables:
        setattr(variable, _MARK, name)


def group_of(variable: keras.Variable) -> str | None:
    """Name of the variable's group; None for all that have none."""
    return getattr(variable, _MARK, None)


@dataclasses.dataclass(frozen=True)
class Group:
    """How the variables of one group are trained.

    Attributes:
        name: As given to `assign_group`.
        learning_rate_factor: Float above 0, on the learning rate of the group's optimizer.
        decay: Whether weight decay reaches the group.
        optimizer: Keras optimizer of the group's own, with its own learning rate. None: a copy
            of the one that trains the rest, which follows its learning rate, schedules and all.
    """

    name: str
    learning_rate_factor: float = 1.0
    decay: bool = False
    optimizer: keras.optimizers.Optimizer | None = None

    def __post_init__(self):
        if not 0 < self.learning_rate_factor < float("inf"):  # written so that NaN fails too
            raise ValueError(
                "`learning_rate_factor` must be a finite float above 0. "
                f"Received: learning_rate_factor={self.learning_rate_factor!r}"
            )
        if self.optimizer is not None and not isinstance(
            self.optimizer, keras.optimizers.Optimizer
        ):
            raise TypeError(
                "`optimizer` of a group must be a Keras optimizer or None. "
                f"Received: optimizer={self.optimizer!r}"
            )
