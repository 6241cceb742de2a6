"""Groups of variables that an optimizer trains by rules of their own."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import keras

_MARK = "optimizer_group"  # attribute of a variable


def assign_group(variables: Iterable[keras.Variable], name: str | None) -> None:
    """Says which group of a `GroupedOptimizer` trains these variables; None for none.

    To be called before the optimizer is built. A copy of the model (`clone_model`) has variables
    of its own: mark those. A model that is loaded with its optimizer has the groups it had.

    Raises:
        TypeError: for layers, or a single variable, or a name that is no string.
    """
    variables = [variables] if isinstance(variables, keras.Variable) else list(variables)
    wrong = [v for v in variables if not isinstance(v, keras.Variable)]
    if wrong or not isinstance(name, (str, type(None))):
        raise TypeError(
            "`assign_group` takes variables, such as layer.trainable_variables, and a name. "
            f"Received: {type(wrong[0]).__name__ if wrong else repr(name)}"
        )
    for variable in variables:
        setattr(variable, _MARK, name)


def group_of(variable: keras.Variable) -> str | None:
    """Name of the variable's group; None for all that have none."""
    return getattr(variable, _MARK, None)


def marks_of(variables: Iterable[keras.Variable]) -> dict[str, list[str | None]]:
    """Groups of variables by path, for a file; of those that share a path, in their order."""
    marks: dict[str, list[str | None]] = {}
    for variable in variables:
        marks.setdefault(variable.path, []).append(group_of(variable))
    return {path: groups for path, groups in marks.items() if any(groups)}


def assign_marks(
    variables: Iterable[keras.Variable], marks: Mapping[str, str | Sequence[str | None]]
) -> None:
    """Gives variables that have no group the one of `marks_of`.

    Args:
        variables: In the same order.
        marks: A file of before has one group for all variables of a path.
    """
    n_before: collections.Counter[str] = collections.Counter()
    for variable in variables:
        groups, number = marks.get(variable.path, ()), n_before[variable.path]
        n_before[variable.path] += 1
        if group_of(variable) is None and groups:
            assign_group([variable], groups if isinstance(groups, str) else groups[number])


@dataclasses.dataclass(frozen=True)
class Group:
    """How the variables of one group are trained.

    Attributes:
        name: As given to `assign_group`.
        learning_rate_factor: Float above 0, on the learning rate of the group's optimizer.
        decay: Whether weight decay reaches the group.
        optimizer: Keras optimizer of the group's own, with its own learning rate (which may be
            changed), clipping and weight decay; those of the base reach it too. None: a copy of
            the one that trains the rest, which follows its learning rate, schedules and all.
    """

    name: str
    learning_rate_factor: float = 1.0
    decay: bool = False
    optimizer: keras.optimizers.Optimizer | None = None

    def __post_init__(self):
        factor = self.learning_rate_factor
        if not (isinstance(factor, (int, float)) and 0 < factor < float("inf")):
            raise ValueError(
                "`learning_rate_factor` must be a finite float above 0. "
                f"Received: learning_rate_factor={factor!r}"
            )
        if self.optimizer is not None:
            check_own_optimizer(self.optimizer)


def check_own_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuses what cannot train one group beside others.

    Raises:
        TypeError: if it is no Keras optimizer, or wraps another.
        ValueError: if it averages weights or accumulates gradients.
    """
    wrapper = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if wrapper or not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            "`optimizer` of a group must be a Keras optimizer that wraps no other, or None. "
            f"Received: optimizer={optimizer!r}"
        )
    for setting in ("use_ema", "gradient_accumulation_steps"):
        if value := getattr(optimizer, setting):
            raise ValueError(
                f"`{setting}` of a group's own optimizer must be left to the one that trains the "
                f"rest, which does it for all. Received: {setting}={value!r}"
            )
