"""What a training step is made of, for any Keras model: optimizer groups, tracked parts, settings.

In: a stock optimizer, variables, numbers or schedules. Out: one optimizer with groups; base classes
of objectives and controls. May import keras only (any backend); `fusion` and `derivatives` alone
know TensorFlow.
"""

from sparsevae.training.derivatives import double_precision, gradients
from sparsevae.training.draws import seed_of_draw
from sparsevae.training.epoch_logs import add_logs
from sparsevae.training.fusion import assign_when, fused, read, when, window
from sparsevae.training.grouped_optimizer import GroupedOptimizer
from sparsevae.training.groups import Group, assign_group
from sparsevae.training.part import Part, Setting
from sparsevae.training.retracing import Retraces, Retracing
from sparsevae.training.state import around
from sparsevae.training.whole_files import WholeFiles
from sparsevae.training.wrapping import inner, with_groups

__all__ = [
    "Group",
    "GroupedOptimizer",
    "Part",
    "Retraces",
    "Retracing",
    "Setting",
    "WholeFiles",
    "add_logs",
    "around",
    "assign_group",
    "assign_when",
    "double_precision",
    "fused",
    "gradients",
    "inner",
    "read",
    "seed_of_draw",
    "when",
    "window",
    "with_groups",
]
