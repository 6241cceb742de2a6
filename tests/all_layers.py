"""The one list of gated layers, each with every stock option that changes its arithmetic."""

import keras
import numpy as np

from sparsevae import layers

DENSE = (layers.GatedDense, keras.layers.Dense)
EINSUM = (layers.GatedEinsumDense, keras.layers.EinsumDense)
CONV_1D = (layers.GatedConv1D, keras.layers.Conv1D)
CONV = (layers.GatedConv2D, keras.layers.Conv2D)
CONV_3D = (layers.GatedConv3D, keras.layers.Conv3D)
TRANSPOSE_1D = (layers.GatedConv1DTranspose, keras.layers.Conv1DTranspose)
TRANSPOSE = (layers.GatedConv2DTranspose, keras.layers.Conv2DTranspose)
TRANSPOSE_3D = (layers.GatedConv3DTranspose, keras.layers.Conv3DTranspose)
SEPARABLE_1D = (layers.GatedSeparableConv1D, keras.layers.SeparableConv1D)
SEPARABLE = (layers.GatedSeparableConv2D, keras.layers.SeparableConv2D)

SIZES = {1: (9,), 2: (7, 8), 3: (4, 5, 3)}
OBLONG = {1: 2, 2: (2, 3), 3: (1, 2, 3)}
FIRST = {"data_format": "channels_first"}
FEW = {  # of convolutions of every kind and rank
    "": {"kernel_size": OBLONG},
    "_strides": {"kernel_size": 4, "strides": 2, "padding": "same"},
    "_dilation": {"kernel_size": 2, "dilation_rate": 2, "activation": "tanh"},
    "_no_bias": {"use_bias": False},
    "_channels_first": {"strides": 2, **FIRST},
}
ALL = {**FEW, "_same": {"padding": "same"}, "_activation": {"activation": "relu"}}
CAUSAL = {
    "_causal": {"padding": "causal"},
    "_causal_dilation": {"padding": "causal", "dilation_rate": 2},
    "_causal_channels_first": {"padding": "causal", **FIRST},
}
OF_TRANSPOSED = {
    "_strides_valid": {"strides": 2},
    "_output_padding": {"strides": 2, "output_padding": 1},
}
OF_SEPARABLE = {"_depth": {"depth_multiplier": 2}}


def convolutions(classes, kind, rank, options):
    """Cases of one class, by name."""
    cases = {}
    for option, more in options.items():
        first = more.get("data_format") == "channels_first"
        shape = (2, 3, *SIZES[rank]) if first else (2, *SIZES[rank], 3)
        arguments = {"filters": 4, "kernel_size": 3, **more}
        if arguments["kernel_size"] is OBLONG:
            arguments["kernel_size"] = OBLONG[rank]
        cases[kind + option] = (classes, arguments, shape)
    return cases


# name: (gated class, stock class), arguments, input shape
CASES = {
    "dense": (DENSE, {"units": 4}, (2, 5)),
    "dense_rank_3": (DENSE, {"units": 4}, (2, 6, 5)),
    "dense_no_bias": (DENSE, {"units": 4, "use_bias": False}, (2, 5)),
    "dense_activation": (DENSE, {"units": 4, "activation": "tanh"}, (2, 5)),
    **convolutions(CONV, "conv", 2, ALL),
    **convolutions(CONV_1D, "conv1d", 1, FEW | CAUSAL),
    **convolutions(CONV_3D, "conv3d", 3, FEW),
    **convolutions(TRANSPOSE, "transpose", 2, ALL | OF_TRANSPOSED),
    **convolutions(TRANSPOSE_1D, "transpose1d", 1, FEW | OF_TRANSPOSED),
    **convolutions(TRANSPOSE_3D, "transpose3d", 3, FEW),
    **convolutions(SEPARABLE, "separable", 2, ALL | OF_SEPARABLE),
    **convolutions(SEPARABLE_1D, "separable1d", 1, FEW | OF_SEPARABLE),
    "einsum": (EINSUM, {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"}, (2, 5)),
    "einsum_swapped": (
        EINSUM,
        {"equation": "abc,dc->abd", "output_shape": (6, 4), "bias_axes": "d"},
        (2, 6, 5),
    ),
    "einsum_ellipsis": (
        EINSUM,
        {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y", "activation": "tanh"},
        (2, 6, 5),
    ),
    "einsum_ellipsis_after": (
        EINSUM,
        {"equation": "ab...,bc->ac...", "output_shape": 4, "bias_axes": "c"},
        (2, 5, 3),
    ),
    "einsum_in_the_middle": (
        EINSUM,
        {"equation": "abc,bd->adc", "output_shape": (4, 6), "bias_axes": "d"},
        (2, 5, 6),
    ),
    "einsum_spread": (
        EINSUM,
        {"equation": "ab,bc->acb", "output_shape": (4, 5), "bias_axes": "c", "activation": "tanh"},
        (2, 5),
    ),
    "einsum_read": (
        EINSUM,
        {"equation": "abc,cb->ab", "output_shape": 4, "bias_axes": "b"},
        (2, 4, 5),
    ),
    "einsum_no_bias": (EINSUM, {"equation": "abc,cd->adb", "output_shape": (4, 6)}, (2, 6, 5)),
}
ONE_OF_EACH = [
    "dense",
    "conv_strides",
    "transpose_strides",
    "conv1d_causal",
    "conv3d_strides",
    "transpose1d_strides",
    "transpose3d_strides",
    "separable_depth",
    "separable1d_depth",
    "einsum_swapped",
]
GRANULARITIES = ["links", "weights", "channels"]
NOT_LINKS = GRANULARITIES[1:]
# name, granularity
WAYS = [
    *[(name, "links") for name in CASES],
    *[(name, granularity) for name in ONE_OF_EACH for granularity in NOT_LINKS],
    *[
        (name, "channels")
        for name in (
            *("conv_no_bias", "conv_channels_first", "einsum_in_the_middle"),
            *("einsum_spread", "einsum_read"),
        )
    ],
]


def kernel_of(layer):
    """The weight that a gated layer's mask multiplies; of a stock layer the one like it."""
    return layer.pointwise_kernel if "Separable" in type(layer).__name__ else layer.kernel


def is_swapped(name):
    """Whether Keras stores the kernel as (..., out_channels, in_channels)."""
    return name.startswith("transpose") or name == "einsum_swapped"


def gated_shape(name):
    """(*window, in_channels, out_channels) of the kernel that the gates of a case multiply."""
    (_, stock_class), arguments, shape = CASES[name]
    stock = stock_class(**arguments)
    stock.build((None, *shape[1:]))
    *window, first, last = kernel_of(stock).shape
    return (*window, last, first) if is_swapped(name) else (*window, first, last)


def mask_shape(name, granularity="links"):
    *window, n_in, n_out = gated_shape(name)
    n_rows = {"links": n_in, "weights": int(np.prod(window)) * n_in, "channels": 1}
    return n_rows[granularity], n_out


def stored(name, mask, granularity="links"):
    """A mask as one number for each kernel weight, in the places where Keras stores them."""
    shape = gated_shape(name)
    mask = mask.reshape(shape) if granularity == "weights" else np.broadcast_to(mask, shape)
    return np.swapaxes(mask, -1, -2) if is_swapped(name) else mask


def made(name, gate="hard_concrete", **more):
    """A built gated layer of a case, and inputs."""
    (gated_class, _), arguments, shape = CASES[name]
    layer = gated_class(**arguments, gate=gate, **more)
    layer.build((None, *shape[1:]))
    return layer, np.random.default_rng(0).normal(size=shape).astype("float32")
