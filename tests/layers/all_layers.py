"""The one list of gated layers, each with every stock option that changes its arithmetic."""

import keras

from sparsevae import layers

DENSE = (layers.GatedDense, keras.layers.Dense)
CONV = (layers.GatedConv2D, keras.layers.Conv2D)
TRANSPOSE = (layers.GatedConv2DTranspose, keras.layers.Conv2DTranspose)
IMAGE = (2, 7, 8, 3)
CHANNELS_FIRST = (2, 3, 7, 8)

# name: (gated class, stock class), arguments, input shape
CASES = {
    "dense": (DENSE, {"units": 4}, (2, 5)),
    "dense_rank_3": (DENSE, {"units": 4}, (2, 6, 5)),
    "dense_no_bias": (DENSE, {"units": 4, "use_bias": False}, (2, 5)),
    "dense_activation": (DENSE, {"units": 4, "activation": "tanh"}, (2, 5)),
    "conv": (CONV, {"filters": 4, "kernel_size": 3}, IMAGE),
    "conv_oblong": (CONV, {"filters": 4, "kernel_size": (2, 3)}, IMAGE),
    "conv_same": (CONV, {"filters": 4, "kernel_size": 3, "padding": "same"}, IMAGE),
    "conv_strides": (
        CONV,
        {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"},
        IMAGE,
    ),
    "conv_dilation": (CONV, {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    "conv_no_bias": (CONV, {"filters": 4, "kernel_size": 3, "use_bias": False}, IMAGE),
    "conv_activation": (CONV, {"filters": 4, "kernel_size": 3, "activation": "relu"}, IMAGE),
    "conv_channels_first": (
        CONV,
        {"filters": 4, "kernel_size": 3, "data_format": "channels_first"},
        CHANNELS_FIRST,
    ),
    "transpose": (TRANSPOSE, {"filters": 4, "kernel_size": 3}, IMAGE),
    "transpose_oblong": (TRANSPOSE, {"filters": 4, "kernel_size": (2, 3)}, IMAGE),
    "transpose_same": (TRANSPOSE, {"filters": 4, "kernel_size": 3, "padding": "same"}, IMAGE),
    "transpose_strides": (
        TRANSPOSE,
        {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"},
        IMAGE,
    ),
    "transpose_strides_valid": (TRANSPOSE, {"filters": 4, "kernel_size": 3, "strides": 2}, IMAGE),
    "transpose_output_padding": (
        TRANSPOSE,
        {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1},
        IMAGE,
    ),
    "transpose_dilation": (TRANSPOSE, {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    "transpose_no_bias": (TRANSPOSE, {"filters": 4, "kernel_size": 3, "use_bias": False}, IMAGE),
    "transpose_activation": (
        TRANSPOSE,
        {"filters": 4, "kernel_size": 3, "activation": "sigmoid"},
        IMAGE,
    ),
    "transpose_channels_first": (
        TRANSPOSE,
        {"filters": 4, "kernel_size": 3, "strides": 2, "data_format": "channels_first"},
        CHANNELS_FIRST,
    ),
}
ONE_OF_EACH = ["dense", "conv_strides", "transpose_strides"]
