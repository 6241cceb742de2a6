"""The optimizer of a model whose gates, and whose objective, are trained by their own rules."""

import keras

from sparsevae.gates.gate import GROUP as GATES
from sparsevae.objectives.objective import GROUP as OBJECTIVE
from sparsevae.training import Group, GroupedOptimizer


def grouped(
    optimizer: str | dict | keras.optimizers.Optimizer,
    of_objective: keras.optimizers.Optimizer | None,
) -> keras.optimizers.Optimizer:
    """What the user compiled a model with, with a group for gates and one for the objective.

    Args:
        optimizer: As for `keras.Model.compile`; a `GroupedOptimizer` is taken as it is.
        of_objective: Optimizer of the objective's own weights, if it has one.

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
            grouped(optimizer.inner_optimizer, of_objective),
            initial_scale=optimizer.initial_scale,
            dynamic_growth_steps=optimizer.dynamic_growth_steps,
            name=optimizer.name,
        )
    if isinstance(optimizer, GroupedOptimizer):
        if OBJECTIVE in optimizer.groups and of_objective is not None:
            # The objective holds it, so that its learning rate can be changed there.
            optimizer.groups[OBJECTIVE] = Group(OBJECTIVE, optimizer=of_objective)
        return optimizer
    groups = [Group(GATES)]
    if of_objective is not None:
        groups.append(Group(OBJECTIVE, optimizer=of_objective))
    return GroupedOptimizer(optimizer, groups)


def inner(optimizer: keras.optimizers.Optimizer) -> GroupedOptimizer:
    """The grouped optimizer of a compiled model."""
    return getattr(optimizer, "inner_optimizer", optimizer)
