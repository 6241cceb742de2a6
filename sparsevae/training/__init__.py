"""What a training step is made of, for any Keras model: optimizer groups, tracked parts, settings.

In: a stock optimizer, variables, numbers or schedules. Out: one optimizer with groups; base classes
of objectives and controls. May import keras only (any backend); `fusion` alone knows TensorFlow.
"""

from sparsevae.training.fusion import fused, read, when, window
from sparsevae.training.grouped_optimizer import GroupedOptimizer
from sparsevae.training.groups import Group, assign_group
from sparsevae.training.part import Part, Setting

__all__ = [
    "Group",
    "GroupedOptimizer",
    "Part",
    "Setting",
    "assign_group",
    "fused",
    "read",
    "when",
    "window",
]
