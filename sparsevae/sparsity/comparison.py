"""What compaction has brought: sizes, speed and outputs of two models side by side."""

import dataclasses
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from sparsevae.checks import check_integer
from sparsevae.sparsity.density_report import report
from sparsevae.sparsity.graphs import check_graphs
from sparsevae.sparsity.hardening import harden
from sparsevae.sparsity.latents import closed_latents, without_inputs, without_outputs
from sparsevae.sparsity.links import by_name, gated_layers
from sparsevae.sparsity.liveness import follow
from sparsevae.sparsity.liveness.pattern import channel_axis
from sparsevae.sparsity.same_outputs import inputs_for, largest_difference

_N_ROUNDS = 7
_LEAST_SECONDS = 0.02  # of a timed piece


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` found; prints as tables.

    Attributes:
        totals: Rows `parameters`, `flops` (multiplications by kernels for one observation),
            `bytes` (of all weights) and `ms, batch N`; columns `before`, `after` and `ratio`
            (before / after). NA where a size is unknown.
        channels: Output channels of each layer with weights: columns `layer`, `kind`, `before`,
            `after`.
        largest_difference: Of the outputs, as a share of 1 + the largest; on random, zero and
            large inputs.
        without_rule: Names of the layers, or of their activations, of which nothing is known, so
            that they keep all their channels. See `register_liveness`.
    """

    totals: pd.DataFrame
    channels: pd.DataFrame
    largest_difference: float
    without_rule: tuple[str, ...]

    def __str__(self) -> str:
        totals = self.totals.astype(object).map(_text)
        lines = [self.channels.to_string(index=False), "", totals.to_string()]
        lines.append(f"largest difference of outputs: {self.largest_difference:.1e}")
        if self.without_rule:
            lines.append(f"whole, as nothing is known of them: {', '.join(self.without_rule)}")
        return "\n".join(lines)


def _text(value):
    if value is pd.NA:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def compare(
    model: keras.Model, small: keras.Model, batch_sizes: Sequence[int] = (1, 256)
) -> Comparison:
    """A model beside its compacted one: how much smaller and faster it became.

    Of a gated model the hardened one is measured, in which masks are part of the kernels. Times
    are medians of interleaved `predict_on_batch` in this process, so quiet machines tell more.

    Of a VAE whose closed latents were dropped those outputs are compared that are left, and images
    for which the dropped latents are 0.

    Args:
        model: Functional or built Sequential model, or one with such `networks`.
        small: The same kind, with the same inputs, outputs and layers, as `compact` makes it.
        batch_sizes: At which to measure times.

    Raises:
        TypeError: for what is no Keras model, or for sizes that are no integers.
        ValueError: for a model that is subclassed or not built, or if one has other inputs,
            outputs, layers or networks than the other.
    """
    _check_arguments(model, small, batch_sizes)
    model = harden(model) if gated_layers(model) else model
    pairs = list(zip(*map(_networks, (model, small)), strict=True))
    alike = _alike(pairs)
    channels = pd.concat([_channels(*pair) for pair in pairs], ignore_index=True)
    totals = [[_sizes(network) for network in networks] for networks in zip(*pairs, strict=True)]
    rows = {name: [sum(s[name] for s in side) for side in totals] for name in totals[0][0]}
    for size in batch_sizes:
        times = [_times(pair, size) for pair in pairs]
        rows[f"ms, batch {size}"] = [sum(side) for side in zip(*times, strict=True)]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after"])
    table["ratio"] = table.before / table.after
    lives = [follow(before) for before, _ in pairs]
    return Comparison(
        table,
        channels,
        max(largest_difference(*pair) for pair in alike),
        tuple(name for live in lives for name in live.without_rule()),
    )


def _networks(model):
    return getattr(model, "networks", [model])


def _check_arguments(model, small, batch_sizes):
    check_graphs("model", model)
    check_graphs("small", small)
    if not isinstance(batch_sizes, Iterable):
        raise TypeError(
            "`batch_sizes` must be a sequence of integers, such as (1, 256). "
            f"Received: batch_sizes={batch_sizes!r}"
        )
    for size in batch_sizes:
        check_integer("batch_sizes", size, minimum=1)
    if len(_networks(model)) != len(_networks(small)):
        received = " beside ".join(f"{type(m).__name__} {m.name!r}" for m in (small, model))
        raise ValueError(
            "`small` must be of the kind of `model`: both with `networks`, as SparseVAE, or both "
            f"without. Received: {received}"
        )


def _alike(pairs):
    """The pairs, or if latents were dropped from the second models, the first without them."""
    if len(pairs) == 2:
        (encoder, small_encoder), (decoder, small_decoder) = pairs
        n, n_left = (model.outputs[0].shape[-1] for model in (encoder, small_encoder))
        if n != n_left:
            stay = ~closed_latents(encoder, decoder)
            if stay.sum() != n_left:
                raise ValueError(
                    f"`small` must have the {n} latents of `model`, or the {stay.sum()} that are "
                    f"not closed. Received: a model with {n_left}"
                )
            encoder, decoder = without_outputs(encoder, stay), without_inputs(decoder, stay)
            pairs = [(encoder, small_encoder), (decoder, small_decoder)]
    for pair in pairs:
        _check_ends(*pair)
    return pairs


def _check_ends(before, after):
    ends = [
        [[(x.shape, x.dtype) for x in side] for side in (m.inputs, m.outputs)]
        for m in (before, after)
    ]
    if ends[0] != ends[1]:
        raise ValueError(
            "`small` must have the inputs and outputs of `model`. "
            f"Received: {ends[1]} beside {ends[0]}"
        )


def _sizes(model):
    flops = report(model).table.flops.sum(skipna=False)
    weights = model.weights
    n_bytes = sum(int(np.prod(w.shape)) * ops.convert_to_numpy(w).itemsize for w in weights)
    return {"parameters": model.count_params(), "flops": flops, "bytes": n_bytes}


def _channels(before, after):
    found = [_widths(model) for model in (before, after)]
    if missing := [name for name in found[0] if name not in found[1]]:
        raise ValueError(
            "`small` must have the layers of `model`, as `compact` makes it. "
            f"Received: {after.name!r} without a layer {missing[0]!r}"
        )
    rows = [(name, kind, n, found[1][name][1]) for name, (kind, n) in found[0].items()]
    return pd.DataFrame(rows, columns=["layer", "kind", "before", "after"])


def _widths(model):
    """Class and channels of each layer with weights, by the name that it has once compacted."""
    nodes = {}
    for node in follow(model).graph.nodes:
        if isinstance(node.call.layer, keras.layers.Layer):
            nodes.setdefault(id(node.call.layer), node)
    named = by_name((node.call.layer.name, node.call) for node in nodes.values())
    return {
        name: (type(call.layer).__name__, call.output_shapes[0][channel_axis(call.layer)])
        for name, call in named.items()
        if call.layer.weights
    }


def _times(pair: Sequence[keras.Model], batch_size: int) -> list[float]:
    """Milliseconds of each model for a batch, medians of interleaved rounds."""
    calls = [(model, batch := _batch(model, batch_size), _repeats(model, batch)) for model in pair]
    rounds = [[_milliseconds(*call) for call in calls] for _ in range(_N_ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _batch(model: keras.Model, size: int) -> Any:
    """One random input, so many times: the same for models of the same inputs."""
    given = next(inputs_for(model, 1))
    return keras.tree.map_structure(
        lambda x: np.repeat(ops.convert_to_numpy(x), size, axis=0), given
    )


def _repeats(model: keras.Model, batch: Any) -> int:
    model.predict_on_batch(batch)  # traces
    return 1 + int(_LEAST_SECONDS * 1e3 / _milliseconds(model, batch, 1))


def _milliseconds(model: keras.Model, batch: Any, n: int) -> float:
    begin = time.perf_counter()
    for _ in range(n):
        model.predict_on_batch(batch)
    return (time.perf_counter() - begin) * 1e3 / n
