"""A model without the channels that do nothing."""

import warnings
from typing import Any

import keras

from sparsevae.checks import check_integer
from sparsevae.sparsity import compaction
from sparsevae.sparsity.hardening import harden
from sparsevae.sparsity.links import gated_layers
from sparsevae.sparsity.liveness import has_graph
from sparsevae.sparsity.same_outputs import TOLERANCE, largest_difference


def compact(model: keras.Model, multiple_of: int = 1) -> keras.Model:
    """The same function in fewer channels: those that do nothing are taken out.

    Gates are fixed at their test rule, as by `harden`. Channels that no output needs are removed.
    Channels that do not vary with the input are removed where what they add to the next layer can
    go into its bias exactly; else one of them stays for all. So outputs are the same up to
    rounding, whatever the input. Layers of which nothing is known keep all their channels; see
    `compare`, and `register_liveness` for layers of one's own. Weights of 0 are closed links too,
    so models that something else has pruned can be compacted.

    Args:
        model: Built functional or Sequential model, models nested in it too; or one with such
            `networks`, as `SparseVAE`, which gives one of their compacted networks.
        multiple_of: Widths of layers are multiples of it where they can: channels stay that might
            have gone. For runtimes that are slow at odd widths.

    Returns:
        Functional model of stock layers, nested models unrolled, not compiled. Inputs and outputs
        have the same shapes and names. If there is nothing to remove, the hardened model, with a
        warning.

    Raises:
        TypeError: for what is no Keras model.
        ValueError: for a model that is subclassed or not built, for gates that are NaN, for a layer
            that cannot be copied, or if outputs would differ by more than `1e-5 (1 + largest
            output)`, which is a defect here.
    """
    check_integer("multiple_of", multiple_of, minimum=1)
    _check_model(model)
    if hasattr(model, "with_networks"):
        return model.with_networks(*(compact(network, multiple_of) for network in model.networks))
    fixed = harden(model)
    plan = compaction.plan(fixed, multiple_of)
    if plan.removes_nothing:
        warnings.warn(f"nothing to remove from {model.name!r}: no channel is dead", stacklevel=2)
        return fixed if gated_layers(model) else model
    small = compaction.build(fixed, plan)
    difference = largest_difference(fixed, small)
    if not difference <= TOLERANCE:
        raise ValueError(
            "`compact` must not change outputs, and would have by "
            f"{difference:.2g} of 1 + their size: please report this model. "
            f"Received: {model.name!r}"
        )
    return small


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model. Received: {model!r}")
    for network in getattr(model, "networks", [model]):
        if not has_graph(network):
            raise ValueError(
                "`model` must be functional or a Sequential model that is built (give it a "
                "keras.Input, or call it once): a subclassed one hides its graph, so write it as "
                f"keras.Model(inputs, outputs). Received: {type(network).__name__} {network.name!r}"
            )
