"""The optimizer of a model whose gates, and whose objective, are trained by their own rules."""

import keras

from sparsevae.gates.gate import GROUP as GATES
from sparsevae.objectives.objective import GROUP as OBJECTIVE
from sparsevae.training import Group, inner, with_groups


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
    groups = [Group(GATES)]
    if of_objective is not None:
        groups.append(Group(OBJECTIVE, optimizer=of_objective))
    optimizer = with_groups(optimizer, groups)
    if OBJECTIVE in inner(optimizer).groups and of_objective is not None:
        # The objective holds it, so that its learning rate can be changed there.
        inner(optimizer).groups[OBJECTIVE] = Group(OBJECTIVE, optimizer=of_objective)
    return optimizer
