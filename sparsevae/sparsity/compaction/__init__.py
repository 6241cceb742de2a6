"""From closed links to a model that is smaller: channels that do nothing are taken out.

In: functional and Sequential models of stock layers whose closed links are zeros. Out: the same
function with fewer channels. May import keras, numpy, `liveness`, which has the rules of layers.
"""

from sparsevae.sparsity.compaction.building import build
from sparsevae.sparsity.compaction.labelling import WHOLE, Ends
from sparsevae.sparsity.compaction.planning import Plan, plan

__all__ = ["WHOLE", "Ends", "Plan", "build", "plan"]
