"""What compaction has brought: sizes, speed and outputs of two models side by side."""

import dataclasses
import statistics
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from sparsevae.checks import check_integer
from sparsevae.sparsity.density_report import report
from sparsevae.sparsity.hardening import harden
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

    Args:
        model: Functional or built Sequential model, or one with such `networks`.
        small: The same kind, with the same inputs and outputs.
        batch_sizes: At which to measure times.

    Raises:
        ValueError: if one has other inputs, outputs or networks than the other.
    """
    for size in batch_sizes:
        check_integer("batch_sizes", size, minimum=1)
    model = harden(model) if gated_layers(model) else model
    pairs = list(zip(*(getattr(m, "networks", [m]) for m in (model, small)), strict=True))
    for before, after in pairs:
        _check_alike(before, after)
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
        pd.concat([_channels(*pair) for pair in pairs], ignore_index=True),
        max(largest_difference(*pair) for pair in pairs),
        tuple(name for live in lives for name in live.without_rule()),
    )


def _check_alike(before, after):
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
    found = [by_name(_widths(model)) for model in (before, after)]
    rows = [(name, kind, n, found[1][name][1]) for name, (kind, n) in found[0].items()]
    return pd.DataFrame(rows, columns=["layer", "kind", "before", "after"])


def _widths(model):
    """Name, class and channels of each layer with weights."""
    seen = set()
    for node in follow(model).graph.nodes:
        layer = node.call.layer
        if id(layer) in seen or not getattr(layer, "weights", ()):
            continue
        seen.add(id(layer))
        yield layer.name, (type(layer).__name__, node.call.output_shapes[0][channel_axis(layer)])


def _times(pair: Sequence[keras.Model], batch_size: int) -> list[float]:
    """Milliseconds of each model for a batch, medians of interleaved rounds."""
    given = next(inputs_for(pair[0], 1))
    batch = keras.tree.map_structure(
        lambda x: np.repeat(ops.convert_to_numpy(x), batch_size, axis=0), given
    )
    calls = [_repeats(model, batch) for model in pair]
    rounds = [
        [_milliseconds(model, batch, n) for model, n in zip(pair, calls, strict=True)]
        for _ in range(_N_ROUNDS)
    ]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _repeats(model: keras.Model, batch: Any) -> int:
    model.predict_on_batch(batch)  # traces
    return 1 + int(_LEAST_SECONDS * 1e3 / _milliseconds(model, batch, 1))


def _milliseconds(model: keras.Model, batch: Any, n: int) -> float:
    begin = time.perf_counter()
    for _ in range(n):
        model.predict_on_batch(batch)
    return (time.perf_counter() - begin) * 1e3 / n
