"""`Embedding`: an integer becomes a vector."""

from collections.abc import Sequence

import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.pattern import Pattern
from sparsevae.sparsity.liveness.rule import Call, Rule, register


class Embedded(Rule):
    """All entries of a vector depend on its integer."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0][..., np.newaxis]]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [outputs[0].any(axis=-1)]


register(layers.Embedding, Embedded())
