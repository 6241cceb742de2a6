"""A model without the channels that do nothing."""

import warnings

import keras

from sparsevae.sparsity import compaction
from sparsevae.sparsity.folding import fold

TOLERANCE = 1e-5  # of 1 + the largest output


def compact(model: keras.Model, multiple_of: int = 1) -> keras.Model:
    fixed = fold(model)
    plan = compaction.plan(fixed, multiple_of)
    if plan.removes_nothing:
        warnings.warn(f"Nothing to remove from {model.name!r}: all channels are live", stacklevel=2)
        return fixed
    small = compaction.build(fixed, plan)
    return small
