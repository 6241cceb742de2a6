"""The grouped optimizer of a compiled model: put around the user's, and found again."""

from collections.abc import Sequence

import keras

from sparsevae.training.grouped_optimizer import GroupedOptimizer
from sparsevae.training.groups import Group


def with_groups(
    optimizer: str | dict | keras.optimizers.Optimizer, groups: Sequence[Group]
) -> keras.optimizers.Optimizer:
    """What the user compiled a model with, with groups.

    Args:
        optimizer: As for `keras.Model.compile`; a `GroupedOptimizer` is taken as it is.
        groups: Of the variables that `assign_group` marked.

    Returns:
        `GroupedOptimizer`, inside a `LossScaleOptimizer` if there was one.
    """
    if optimizer is None:
        raise ValueError("`optimizer` must be a Keras optimizer or its name. Received: None")
    optimizer = keras.optimizers.get(optimizer)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        if isinstance(optimizer.inner_optimizer, GroupedOptimizer):
            return optimizer
        return keras.optimizers.LossScaleOptimizer(
            with_groups(optimizer.inner_optimizer, groups),
            initial_scale=optimizer.initial_scale,
            dynamic_growth_steps=optimizer.dynamic_growth_steps,
            name=optimizer.name,
        )
    if isinstance(optimizer, GroupedOptimizer):
        return optimizer
    return GroupedOptimizer(optimizer, groups)


def inner(optimizer: keras.optimizers.Optimizer) -> GroupedOptimizer:
    """The grouped optimizer of a compiled model."""
    return getattr(optimizer, "inner_optimizer", optimizer)
