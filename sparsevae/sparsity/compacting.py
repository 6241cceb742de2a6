"""A model without the channels that do nothing."""

import warnings
from typing import Any

import keras
import numpy as np

from sparsevae.checks import check_boolean, check_integer
from sparsevae.sparsity import compaction
from sparsevae.sparsity.compaction import WHOLE, Ends
from sparsevae.sparsity.graphs import check_finite, check_graphs
from sparsevae.sparsity.hardening import harden, in_place_of
from sparsevae.sparsity.latents import closed_latents, without_inputs, without_outputs
from sparsevae.sparsity.links import gated_layers
from sparsevae.sparsity.same_outputs import largest_difference, tolerance_of


def compact(model: keras.Model, multiple_of: int = 1, drop_latents: bool = False) -> keras.Model:
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
        drop_latents: Whether latents of a VAE go that are closed on both sides: neither mean nor
            variance varies with the image, and the decoder does not read them. A warning names
            them; codes have the other latents in their order.

    Returns:
        Functional model of stock layers, nested models unrolled, not compiled. Inputs and outputs
        have the same shapes and names; frozen as the model is. If there is nothing to remove, the
        hardened model, with a warning.

    Raises:
        TypeError: for what is no Keras model, no integer or no boolean.
        ValueError: for a model that is subclassed or not built, for gates that are NaN, for weights
            that are NaN or infinite, for a layer that cannot be copied, or if outputs would differ
            by more than `1e-5 (1 + largest output)`, or than half precision rounds, which is a
            defect here.
    """
    _check_arguments(model, multiple_of, drop_latents)
    networks = getattr(model, "networks", [model])
    fixed, ends = list(map(harden, networks)), [WHOLE] * len(networks)
    for network in fixed:
        check_finite(network)
    if drop_latents:
        closed = closed_latents(*fixed)
        ends = [Ends(outputs=~closed), Ends(inputs=~closed)]
        if closed.any():
            dropped = ", ".join(map(str, np.flatnonzero(closed)))
            warnings.warn(f"dropped latents {dropped}", stacklevel=2)
    small = [_compacted(net, multiple_of, end) for net, end in zip(fixed, ends, strict=True)]
    if small == fixed:
        warnings.warn(f"nothing to remove from {model.name!r}: no channel is dead", stacklevel=2)
        small = networks if not gated_layers(model) else fixed
    return in_place_of(model, small)


def _compacted(fixed, multiple_of, ends):
    """The compacted model; the one given if there is nothing to remove."""
    plan = compaction.plan(fixed, multiple_of, ends)
    if plan.removes_nothing:
        return fixed
    small = compaction.build(fixed, plan)
    if not fixed.trainable:
        small.trainable = False
    expected = fixed
    if ends.outputs is not None:
        expected = without_outputs(fixed, ends.outputs)
    if ends.inputs is not None:
        expected = without_inputs(fixed, ends.inputs)
    difference = largest_difference(expected, small)
    if not difference <= tolerance_of(fixed):
        raise ValueError(
            "`compact` must not change outputs, and would have by "
            f"{difference:.2g} of 1 + their size: please report this model. "
            f"Received: {fixed.name!r}"
        )
    return small


def _check_arguments(model: Any, multiple_of: Any, drop_latents: Any) -> None:
    check_graphs("model", model)
    check_integer("multiple_of", multiple_of, minimum=1)
    check_boolean("drop_latents", drop_latents)
    if drop_latents and not hasattr(model, "with_networks"):
        raise ValueError(
            "`drop_latents` must be False for models other than SparseVAE, which have no latents. "
            f"Received: drop_latents=True for {type(model).__name__} {model.name!r}"
        )
