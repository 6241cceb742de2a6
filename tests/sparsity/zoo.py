"""Small models of every kind of graph that `sparsify` must take, and data for them."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class Scale(layers.Layer):
    """A layer of the user's own, with a weight."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.scale


def dense(*units, **more):
    """A Sequential model of dense layers `dense_0`, `dense_1`... on 4 inputs."""
    made = [layers.Dense(n, name=f"dense_{k}", **more) for k, n in enumerate(units)]
    return keras.Sequential([keras.Input((4,)), *made])


def residual():
    x = inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(x)
    for number in range(2):
        skip = x
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU()(x)
        x = layers.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        x = layers.Add()([x, skip])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="residual")


def encoder_decoder():
    inputs = keras.Input((8, 8, 1))
    first = layers.Conv2D(3, 3, padding="same", activation="relu", name="down_0")(inputs)
    second = layers.Conv2D(4, 3, padding="same", activation="relu", name="down_1")(
        layers.MaxPooling2D()(first)
    )
    bottom = layers.Conv2D(5, 2, strides=2, activation="relu", name="bottom")(second)
    up = layers.Conv2DTranspose(4, 2, strides=2, name="up_1")(bottom)
    up = layers.Conv2DTranspose(3, 2, strides=2, name="up_0")(layers.Concatenate()([up, second]))
    up = layers.Concatenate()([up, first])
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", name="pixels")(up))


def mobile():
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="stem")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(6, 1, name="pointwise")(x)
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(6, 1, activation="hard_sigmoid", name="excite")(squeezed)
    x = layers.Multiply()([x, gate])
    x = layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, name="separable")(x)
    x = layers.LayerNormalization()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def shared():
    """One layer called three times, on its own output too."""
    first, second = keras.Input((5,), name="first"), keras.Input((5,), name="second")
    dense = layers.Dense(5, activation="tanh", name="shared")
    x = layers.Subtract()([dense(dense(first)), dense(second)])
    return keras.Model([first, second], layers.Dense(2, name="head")(x))


def siamese():
    tower = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="relu", name="tower_conv"),
            layers.Flatten(),
            layers.Dense(4, name="tower_code"),
        ],
        name="tower",
    )
    left, right = keras.Input((6, 6, 1), name="left"), keras.Input((6, 6, 1), name="right")
    distance = ops.abs(tower(left) - tower(right))
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid")(distance))


def dictionaries():
    image, label = keras.Input((6, 6, 2), name="image"), keras.Input((3,), name="label")
    x = layers.Flatten()(layers.Conv2D(3, 3, strides=2, name="conv")(image))
    x = layers.Concatenate()([x, layers.Dense(4, name="of_label")(label)])
    x = layers.Dense(6, activation="relu", name="joint")(x)
    outputs = {
        "mean": layers.Dense(2, name="mean")(x),
        "scale": layers.Dense(2, activation="softplus", name="scale")(x),
    }
    return keras.Model({"image": image, "label": label}, outputs)


def doubled():
    """Concatenation of a tensor with itself."""
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="relu", name="narrow")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="wide")(layers.Concatenate()([x, x])))


def nested():
    """A functional and a Sequential model, one in the other; each is used twice.

    None is used outside of the other too: Keras's files forget that such models share layers.
    """
    innermost = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, activation="elu", name="inmost")], name="innermost"
    )
    part = keras.Input((4,))
    block = keras.Model(part, part + innermost(innermost(part)), name="block")
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="before")(inputs)
    x = block(block(x))
    return keras.Model(inputs, layers.Dense(2, name="after")(x), name="nested")


def sequential():
    return keras.Sequential(
        [
            keras.Input((12,), name="pixels"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.UnitNormalization(),
            layers.Dense(3, name="logits"),
        ],
        name="plain",
    )


def tokens():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(7, 4, name="embedding")(inputs)
    x = layers.Conv1D(4, 2, padding="causal", activation="relu", name="causal")(x)
    attended = layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    x = layers.Conv1DTranspose(3, 2, strides=2, name="longer")(x)
    x = layers.SeparableConv1D(3, 2, name="separable")(x)
    return keras.Model(inputs, layers.Dense(7, name="next")(x))


def recurrent():
    inputs = keras.Input((4, 3))
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both_ways")(inputs)
    x = layers.GRU(3, name="gru")(layers.Dense(3, name="between")(x))
    return keras.Model(inputs, layers.Dense(1, name="head")(x))


def time_distributed():
    frame = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3, name="of_frame"), layers.Flatten()],
        name="frame",
    )
    inputs = keras.Input((3, 4, 4, 1))
    x = layers.TimeDistributed(frame, name="frames")(inputs)
    x = layers.TimeDistributed(layers.Dense(3, name="of_step"), name="steps")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)))


def einsum():
    inputs = keras.Input((5, 4))
    x = layers.EinsumDense("abc,cd->abd", (5, 3), bias_axes="d", name="mixed")(inputs)
    x = layers.EinsumDense("abc,db->adc", (2, 3), name="swapped")(x)
    x = layers.EinsumDense("abc,cde->abde", (2, 2, 2), name="heads")(x)  # stays
    return keras.Model(inputs, layers.Dense(1, name="head")(layers.Flatten()(x)))


def volumes():
    inputs = keras.Input((4, 4, 4, 1))
    x = layers.Conv3D(2, 2, strides=2, activation="relu", name="down")(inputs)
    return keras.Model(inputs, layers.Conv3DTranspose(1, 2, strides=2, name="up")(x))


def operations():
    """Functions and operators of tensors in the graph."""
    inputs = keras.Input((4, 4))
    x = layers.Dense(4, name="first")(inputs)
    x = ops.relu(x) + 0.5 * inputs
    x = ops.concatenate([x[:, :2], ops.transpose(x, (0, 2, 1))], axis=1)
    x = layers.Dense(3, name="second")(ops.mean(x, axis=1) / 2)
    return keras.Model(inputs, ops.softmax(x))


def custom():
    inputs = keras.Input((5,))
    x = Scale(name="own")(layers.Dense(4, name="first")(inputs))
    return keras.Model(inputs, layers.Dense(2, name="second")(x))


def noisy():
    inputs = keras.Input((5,))
    x = layers.GaussianNoise(0.1, seed=1, name="noise")(inputs)
    x = layers.Dropout(0.5, seed=2, name="dropout")(layers.Dense(6, name="first")(x))
    return keras.Model(inputs, layers.Dense(2, name="second")(x))


def half():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, dtype="mixed_float16", name="conv")(inputs)
    x = layers.Dense(3, dtype="mixed_float16", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(2, dtype="float32", name="head")(x))


def mobilenet_v3():
    return keras.applications.MobileNetV3Small(
        (32, 32, 3), alpha=0.35, weights=None, classes=3, minimalistic=True, dropout_rate=0.0
    )


def resnet50():
    return keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=3)


SMALL = {
    make.__name__: make
    for make in (
        *(residual, encoder_decoder, mobile, shared, siamese, dictionaries, doubled, nested),
        *(sequential, tokens, recurrent, time_distributed, einsum, volumes, operations, custom),
        *(noisy, half),
    )
}
LARGE = {make.__name__: make for make in (mobilenet_v3, resnet50)}
ZOO = SMALL | LARGE


def data(model, n=8, seed=0):
    """Inputs and targets of the shapes that a model takes and gives."""
    rng = np.random.default_rng(seed)

    def drawn(tensor):
        shape = (n, *tensor.shape[1:])
        if "int" in tensor.dtype:
            return rng.integers(0, 7, shape).astype(tensor.dtype)
        return rng.random(shape, np.float32)

    ends = (
        (model.inputs[0], model.outputs[0])
        if isinstance(model, keras.Sequential)
        else (
            model.input,
            model.output,
        )
    )
    return tuple(keras.tree.map_structure(drawn, end) for end in ends)


def outputs(model, x):
    """What a model gives at test, float32 arrays in a flat list."""
    found = keras.tree.flatten(model(x, training=False))
    return [ops.convert_to_numpy(ops.cast(y, "float32")) for y in found]


def names(model):
    """Names of layers, nested ones in their place; a Sequential model shows no inputs."""
    return [
        (layer.name, names(layer)) if isinstance(layer, keras.Model) else layer.name
        for layer in model.layers
        if not isinstance(layer, layers.InputLayer)
    ]


class Subclassed(keras.Model):
    """Hides its graph."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)
