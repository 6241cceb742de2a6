"""Which channels of a model are live: depend on its input, and matter to its output.

In: functional and Sequential models, nested ones too. Out: for each tensor what varies and what
is needed. May import keras, numpy, `layers`; one file for each family of layers holds its rules.
"""

from sparsevae.sparsity.liveness import (
    concatenation,
    coupling,
    einsum,
    embedding,
    gated,
    positions,
    reshaping,
)
from sparsevae.sparsity.liveness.elementwise import Elementwise, Scaled
from sparsevae.sparsity.liveness.graph import graph_of, has_graph
from sparsevae.sparsity.liveness.kernel import Kernel
from sparsevae.sparsity.liveness.live import Live, follow
from sparsevae.sparsity.liveness.rule import UNKNOWN, Call, Rule, register

__all__ = [
    "UNKNOWN",
    "Call",
    "Elementwise",
    "Kernel",
    "Live",
    "Rule",
    "Scaled",
    "concatenation",
    "coupling",
    "einsum",
    "embedding",
    "follow",
    "gated",
    "graph_of",
    "has_graph",
    "positions",
    "register",
    "reshaping",
]
