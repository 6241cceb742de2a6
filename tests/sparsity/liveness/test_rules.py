"""Each rule against the layer's Jacobian: never too little, and no more where it can be exact."""

import functools

import keras
import numpy as np
import pytest
from jacobians import dependence, full, truly_needed, truly_varying
from keras import layers, ops

from sparsevae import gates
from sparsevae.layers import (
    GatedConv2D,
    GatedConv2DTranspose,
    GatedDense,
    GatedEinsumDense,
    GatedSeparableConv2D,
)
from sparsevae.sparsity.liveness import UNKNOWN, Call, Elementwise, register
from sparsevae.sparsity.liveness.rule import rule_of

FIRST = {"data_format": "channels_first"}


def some(*shape):
    """A fixed gate with about a third of its links open."""
    return gates.Fixed(np.random.default_rng(sum(shape)).random(shape) < 0.35)


LINE, IMAGE, CUBE = (5, 4), (4, 5, 4), (3, 3, 4, 2)
CASES = {
    "dense": (lambda: layers.Dense(3, activation="tanh"), (6,)),
    "gated_dense": (lambda: GatedDense(5, gate=some(6, 5)), (6,)),
    "gated_dense_at_positions": (lambda: GatedDense(3, gate=some(4, 3)), LINE),
    "gated_softmax": (lambda: GatedDense(3, gate=some(4, 3), activation="softmax"), LINE),
    "conv1d": (lambda: layers.Conv1D(3, 2, padding="causal"), LINE),
    "conv2d": (lambda: layers.Conv2D(3, 2, strides=2), IMAGE),
    "conv2d_groups": (lambda: layers.Conv2D(6, 2, groups=2), IMAGE),
    "conv2d_first": (lambda: layers.Conv2D(3, 2, **FIRST), IMAGE),
    "conv3d": (lambda: layers.Conv3D(2, 2), CUBE),
    "gated_conv2d": (lambda: GatedConv2D(5, 2, padding="same", gate=some(4, 5)), IMAGE),
    "gated_conv2d_first": (lambda: GatedConv2D(5, 2, gate=some(4, 5), **FIRST), IMAGE),
    "gated_conv2d_layer": (
        lambda: GatedConv2D(3, 2, gate=some(4, 3), activation=layers.Softmax()),
        IMAGE,
    ),
    "up1d": (lambda: layers.Conv1DTranspose(3, 2, strides=2), LINE),
    "up2d": (lambda: layers.Conv2DTranspose(3, 2, strides=2), IMAGE),
    "up3d": (lambda: layers.Conv3DTranspose(2, 2), CUBE),
    "gated_up2d": (lambda: GatedConv2DTranspose(3, 3, strides=2, gate=some(4, 3)), IMAGE),
    "depthwise1d": (lambda: layers.DepthwiseConv1D(2, depth_multiplier=2), LINE),
    "depthwise2d": (lambda: layers.DepthwiseConv2D(2, depth_multiplier=3), IMAGE),
    "separable1d": (lambda: layers.SeparableConv1D(3, 2, depth_multiplier=2), LINE),
    "separable2d": (lambda: layers.SeparableConv2D(3, 2), IMAGE),
    "gated_separable2d": (
        lambda: GatedSeparableConv2D(3, 2, depth_multiplier=2, gate=some(8, 3)),
        IMAGE,
    ),
    "gated_separable2d_first": (
        lambda: GatedSeparableConv2D(3, 2, depth_multiplier=2, gate=some(8, 3), **FIRST),
        IMAGE,
    ),
    "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (5, 3)), LINE),
    "einsum_axes": (lambda: layers.EinsumDense("abcd,bde->aecb", (2, 5, 4)), IMAGE),
    "einsum_diagonal": (lambda: layers.EinsumDense("abc,c->abc", (5, 4)), LINE),
    "einsum_free": (lambda: layers.EinsumDense("...x,xy->...y", 3, activation="tanh"), LINE),
    "gated_einsum": (lambda: GatedEinsumDense("abc,dc->abd", (5, 3), gate=some(4, 3)), LINE),
    "gated_einsum_within": (
        lambda: GatedEinsumDense("abc,db->adc", (3, 4), activation="softmax", gate=some(5, 3)),
        LINE,
    ),
    "gated_einsum_moved": (
        lambda: GatedEinsumDense("abcd,ce->adeb", (4, 3, 4), activation="tanh", gate=some(5, 3)),
        IMAGE,
    ),
    "gated_einsum_summed": (lambda: GatedEinsumDense("abc,cd->ad", 3, gate=some(4, 3)), LINE),
    "gated_einsum_free": (lambda: GatedEinsumDense("...x,yx->...y", 3, gate=some(4, 3)), LINE),
    "gated_einsum_spread": (lambda: GatedEinsumDense("ak,kj->ajk", (4, 6), gate=some(6, 4)), (6,)),
    "gated_einsum_spread_at_positions": (
        lambda: GatedEinsumDense("abk,jk->akbj", (4, 5, 3), activation="tanh", gate=some(4, 3)),
        LINE,
    ),
    "gated_einsum_read": (lambda: GatedEinsumDense("ajh,jh->aj", 5, gate=some(4, 5)), LINE),
    "einsum_read_of_images": (
        lambda: layers.EinsumDense("abjh,hj->abj", (4, 5), activation="softmax"),
        IMAGE,
    ),
    "flatten": (layers.Flatten, IMAGE),
    "flatten_first": (lambda: layers.Flatten(**FIRST), IMAGE),
    "flatten_vector": (layers.Flatten, (6,)),
    "reshape": (lambda: layers.Reshape((2, 2, 5, 4)), IMAGE),
    "unflatten": (lambda: layers.Reshape((2, 3, 2)), (12,)),
    "permute": (lambda: layers.Permute((3, 1, 2)), IMAGE),
    "repeat": (lambda: layers.RepeatVector(3), (6,)),
    "average": (lambda: layers.AveragePooling2D(2), IMAGE),
    "max1d": (lambda: layers.MaxPooling1D(2), LINE),
    "max_first": (lambda: layers.MaxPooling2D(2, **FIRST), IMAGE),
    "global_average": (layers.GlobalAveragePooling2D, IMAGE),
    "global_max": (lambda: layers.GlobalMaxPooling1D(keepdims=True), LINE),
    "global_first": (lambda: layers.GlobalAveragePooling2D(**FIRST), IMAGE),
    "global_first_kept": (lambda: layers.GlobalAveragePooling2D(keepdims=True, **FIRST), IMAGE),
    "global3d": (layers.GlobalAveragePooling3D, CUBE),
    "upsampling": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "padding": (lambda: layers.ZeroPadding2D(1), IMAGE),
    "padding_first": (lambda: layers.ZeroPadding2D(1, **FIRST), IMAGE),
    "cropping": (lambda: layers.Cropping1D(1), LINE),
    "batch_normalization": (layers.BatchNormalization, IMAGE),
    "layer_normalization": (layers.LayerNormalization, IMAGE),
    "layer_normalization_axes": (lambda: layers.LayerNormalization(axis=[1, 3]), IMAGE),
    "group_normalization": (lambda: layers.GroupNormalization(2), IMAGE),
    "group_normalization_first": (lambda: layers.GroupNormalization(2, axis=1), IMAGE),
    "rms_normalization": (layers.RMSNormalization, LINE),
    "unit_normalization": (lambda: layers.UnitNormalization(axis=1), LINE),
    "softmax": (layers.Softmax, LINE),
    "softmax_axis": (lambda: layers.Softmax(axis=1), LINE),
    "activation": (lambda: layers.Activation("swish"), LINE),
    "log_softmax": (lambda: layers.Activation("log_softmax"), LINE),
    "prelu": (lambda: layers.PReLU("ones", shared_axes=[1]), LINE),
    "leaky_relu": (layers.LeakyReLU, LINE),
    "dropout": (lambda: layers.SpatialDropout1D(0.5), LINE),
    "rescaling": (lambda: layers.Rescaling(2.0), LINE),
    "add": (layers.Add, LINE, LINE),
    "add_broadcast": (layers.Add, LINE, (1, 4)),
    "multiply": (layers.Multiply, LINE, (5, 1), LINE),
    "subtract": (layers.Subtract, (6,), (6,)),
    "maximum": (layers.Maximum, (6,), (6,)),
    "concatenate": (layers.Concatenate, LINE, (5, 2), (5, 1)),
    "concatenate_positions": (lambda: layers.Concatenate(axis=1), LINE, (3, 4)),
}
COARSE = {
    "add_ranks": (layers.Add, (4,), LINE),
    "dot": (lambda: layers.Dot(1), (4,), (4,)),
}


@functools.cache
def called(case):
    make, *shapes = {**CASES, **COARSE}[case]
    layer = make()
    given = [keras.Input(shape) for shape in shapes]
    output = layer(given if len(given) > 1 else given[0])
    call = Call(layer, tuple(shapes), (tuple(output.shape[1:]),))
    return layer, call, dependence(layer, shapes, call.output_shapes[0])


def patterns(shapes, seed, whole):
    """Random patterns; not `whole`: axes that stand for all positions, the last one channels."""
    rng = np.random.default_rng(seed)
    last = [shape if whole else (*(1,) * (len(shape) - 1), shape[-1]) for shape in shapes]
    return [rng.random(shape) < 0.3 for shape in last]


@pytest.mark.parametrize("case", [*CASES, *COARSE])
def test_nothing_live_is_missed(case):
    layer, call, jacobians = called(case)
    rule, (output,) = rule_of(layer), call.output_shapes
    for seed in range(12):
        inputs = patterns(call.input_shapes, seed, whole=seed % 2)
        (varying,) = rule.varying(call, inputs)
        assert varying.ndim == len(output)
        assert (full(varying, output) >= truly_varying(jacobians, inputs, call.input_shapes)).all()
        (wanted,) = patterns([output], seed, whole=seed % 2)
        needed = rule.needed(call, [wanted])
        truth = truly_needed(jacobians, wanted, output)
        for pattern, true, shape in zip(needed, truth, call.input_shapes, strict=True):
            assert pattern.ndim == len(shape)
            assert (full(pattern, shape) >= true).all()


@pytest.mark.parametrize("case", CASES)
def test_no_channel_is_live_without_cause(case):
    """Channels on the axis of the layer; rules of windows do not tell positions apart."""
    layer, call, jacobians = called(case)
    rule, (output,) = rule_of(layer), call.output_shapes
    axis = 0 if getattr(layer, "data_format", None) == "channels_first" else -1

    def channels(entries, shape):
        moved = np.moveaxis(entries.reshape(shape), axis, -1)
        return moved.reshape(-1, shape[axis]).any(axis=0)

    assert rule is not UNKNOWN
    for seed in range(12):
        inputs = patterns(call.input_shapes, seed, whole=False)
        (varying,) = rule.varying(call, inputs)
        truth = truly_varying(jacobians, inputs, call.input_shapes)
        np.testing.assert_array_equal(
            channels(full(varying, output), output), channels(truth, output)
        )
        (wanted,) = patterns([output], seed, whole=False)
        needed = rule.needed(call, [wanted])
        truth = truly_needed(jacobians, wanted, output)
        for pattern, true, shape in zip(needed, truth, call.input_shapes, strict=True):
            np.testing.assert_array_equal(
                channels(full(pattern, shape), shape), channels(true, shape)
            )


def test_flatten_gives_each_entry_the_channel_it_came_from():
    layer = layers.Flatten()
    call = Call(layer, ((2, 3, 4),), ((24,),))
    (varying,) = rule_of(layer).varying(call, [np.array([[[0, 1, 0, 0]]], bool)])
    assert set(np.flatnonzero(varying)) == {k for k in range(24) if k % 4 == 1}


def test_embedding_and_free_sizes():
    layer = layers.Embedding(7, 3)
    call = Call(layer, ((None,),), ((None, 3),))
    (varying,) = rule_of(layer).varying(call, [np.array([True])])
    assert varying.shape == (1, 1) and varying.all()
    (needed,) = rule_of(layer).needed(call, [np.array([[False, True, False]])])
    np.testing.assert_array_equal(needed, [True])
    flatten = Call(layers.Flatten(), ((None, 3),), ((None,),))
    for channels in ([0, 0, 0], [0, 1, 0]):
        (varying,) = rule_of(flatten.layer).varying(flatten, [np.array([channels], bool)])
        np.testing.assert_array_equal(varying, [any(channels)])


def test_operators_and_functions_have_rules():
    a, b = keras.Input((3,)), keras.Input((3,))
    for made in (a + b, a - b, a * b, a / b, -a, ops.maximum(a, b), ops.tanh(a), ops.exp(a)):
        assert isinstance(rule_of(made._keras_history.operation), Elementwise)
    assert rule_of((a @ ops.transpose(b))._keras_history.operation) is UNKNOWN


def test_layers_of_ones_own():
    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    class Renamed(Twice):
        def __init__(self, more, **kwargs):
            super().__init__(**kwargs)

        def get_config(self):
            return {"more": 1}

    class Mixing(Twice):
        def call(self, x):
            return ops.flip(x, -1)

    assert rule_of(Twice()) is UNKNOWN
    register(Twice, Elementwise())
    assert isinstance(rule_of(Twice()), Elementwise)
    assert isinstance(rule_of(Renamed(1)), Elementwise)
    assert rule_of(Mixing()) is UNKNOWN

    class Trained(GatedDense):
        """Computes as its parent does."""

    class Bent(GatedDense):
        def _linear(self, inputs, kernel):
            return ops.flip(super()._linear(inputs, kernel), -1)

    assert rule_of(Trained(2)) is rule_of(layers.Dense(2))
    assert rule_of(Bent(2)) is UNKNOWN


def test_activations_of_ones_own():
    def bent(x):
        return x + ops.sin(x)

    assert rule_of(bent) is UNKNOWN
    register(bent, Elementwise())
    assert isinstance(rule_of(bent), Elementwise)


@pytest.mark.parametrize(
    ("kind", "rule", "named"),
    [("Dense", Elementwise(), "`kind`"), (layers.Dense, Elementwise, "`rule`")],
)
def test_what_is_no_layer_or_no_rule_is_refused(kind, rule, named):
    with pytest.raises(TypeError, match=named):
        register(kind, rule)
