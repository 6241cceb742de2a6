"""Gated layers pass things on as their stock layers do, over their open links."""

from keras.layers import EinsumDense

from sparsevae import layers
from sparsevae.sparsity.liveness.einsum import EINSUM
from sparsevae.sparsity.liveness.kernels import RULES
from sparsevae.sparsity.liveness.rule import register

for _name in layers.__all__:
    _kind = getattr(layers, _name)
    if hasattr(_kind, "stock_class"):
        register(_kind, {**RULES, EinsumDense: EINSUM}[_kind.stock_class])
