"""Gated layers pass things on as their stock layers do, over their open links."""

from sparsevae import layers
from sparsevae.sparsity.liveness.einsum import GatedEinsum
from sparsevae.sparsity.liveness.rule import register, rule_of_class

for _name in layers.__all__:
    _kind = getattr(layers, _name)
    if hasattr(_kind, "stock_class"):
        register(_kind, rule_of_class(_kind.stock_class))
register(layers.GatedEinsumDense, GatedEinsum())  # the stock layer may mix any axes
