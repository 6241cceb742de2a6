"""Masks that are chosen before training: SNIP, SynFlow, by magnitude, random.

In: a model of `sparsify` whose gates are `gates.Pruned`, and a density. Out: nothing; the model's
masks are set, to exactly the density, and stay so in `fit`. May import what `sparsity` may.
"""

from sparsevae.sparsity.at_start.connection_sensitivity import snip
from sparsevae.sparsity.at_start.synaptic_flow import synflow
from sparsevae.sparsity.at_start.weights_and_draws import magnitude, random, random_like

__all__ = ["magnitude", "random", "random_like", "snip", "synflow"]
