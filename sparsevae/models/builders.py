"""The field's standard encoders and decoders, with or without gates."""

import functools
import math
from typing import Any

import keras

from sparsevae import gates
from sparsevae.checks import check_choice, check_integer
from sparsevae.layers import GatedConv2D, GatedConv2DTranspose, GatedDense, GatedEinsumDense
from sparsevae.models.sparse_vae import SparseVAE
from sparsevae.sparsity import Control

PLACES = ("both", "encoder", "decoder")
_UNIT_NORMAL = functools.partial(keras.initializers.RandomNormal, 0.0, 1.0)


class _Layers:
    """Makes the dense and convolutional layers of one network, each with a gate of its own.

    Names are `PART_KIND_NUMBER`; seeds of kernels and gates follow from `seed` and the order.
    """

    def __init__(self, part, gate, granularity, seed, kernel_regularizer):
        self.part, self.gate, self.granularity, self.seed = part, gate, granularity, seed
        self.kernel_regularizer = kernel_regularizer
        self.n_made = 0

    def dense(self, units, name=None, **kwargs):
        return self._make("dense", (GatedDense, keras.layers.Dense), units, name=name, **kwargs)

    def conv(self, filters, size):
        classes = (GatedConv2D, keras.layers.Conv2D)
        return self._make("conv", classes, filters, size, strides=2, padding="same")

    def deconv(self, filters, activation="relu"):
        classes = (GatedConv2DTranspose, keras.layers.Conv2DTranspose)
        return self._make(
            "deconv", classes, filters, 4, strides=2, padding="same", activation=activation
        )

    def einsum(self, equation, sizes, name, **kwargs):
        classes = (GatedEinsumDense, keras.layers.EinsumDense)
        return self._make("einsum", classes, equation, sizes, name=name, activation=None, **kwargs)

    def _make(
        self,
        kind,
        classes,
        *args,
        name=None,
        activation="relu",
        initializer=keras.initializers.GlorotUniform,
        **kwargs,
    ):
        self.n_made += 1
        seed = self.seed + self.n_made
        gated, stock = classes
        kwargs |= {
            "name": f"{self.part}_{name or f'{kind}_{self.n_made}'}",
            "activation": activation,
            "kernel_initializer": initializer(seed=seed),
            "kernel_regularizer": self.kernel_regularizer,
        }
        if self.gate is None:
            return stock(*args, **kwargs)
        given = isinstance(self.gate, gates.Gate)
        gate = self.gate.fresh(seed) if given else gates.get(self.gate, seed=seed)
        return gated(*args, gate=gate, granularity=self.granularity, **kwargs)


def _networks(gate, where, granularity, seed, kernel_regularizer, control):
    check_choice("where", where, PLACES)
    if isinstance(control, Control) and control.granularity != granularity:
        raise ValueError(
            "`granularity` must be that of the control. "
            f"Received: {granularity!r}, with a control of {control.granularity!r}"
        )
    of_encoder, of_decoder = (gate if where in ("both", part) else None for part in PLACES[1:])
    return (
        _Layers("encoder", of_encoder, granularity, 1000 * seed, kernel_regularizer),
        _Layers("decoder", of_decoder, granularity, 1000 * seed + 500, kernel_regularizer),
    )


def _check_sizes(image_shape, latent_dim, multiple):
    if not isinstance(image_shape, (tuple, list)) or len(image_shape) != 3:
        raise ValueError(
            "`image_shape` must be (height, width, channels). "
            f"Received: image_shape={image_shape!r}"
        )
    sizes = tuple(check_integer("image_shape", n, minimum=1) for n in image_shape)
    if sizes[0] % multiple or sizes[1] % multiple:
        raise ValueError(
            f"conv_vae halves images four times: height and width must be multiples of {multiple}. "
            f"Received: image_shape={image_shape!r}"
        )
    return sizes, check_integer("latent_dim", latent_dim, minimum=1)


def conv_vae(
    image_shape: tuple[int, int, int],
    latent_dim: int = 10,
    *,
    gate: str | gates.Gate | None = None,
    where: str = "both",
    granularity: str = "links",
    seed: int = 0,
    kernel_regularizer: keras.Regularizer | str | None = None,
    **kwargs: Any,
) -> SparseVAE:
    """The convolutional VAE of the field's large studies, 690,517 parameters for 64 x 64 x 1.

    Encoder: conv 32 k4, 32 k4, 64 k2, 64 k2 (all stride 2), dense 256, dense latent_dim twice.
    Decoder: dense 256, dense 1024, deconv 64, 32, 32, channels (all k4, stride 2). ReLU.

    Args:
        image_shape: `(height, width, channels)`; height and width multiples of 16.
        latent_dim: Number of latents.
        gate: Name of a gate, an unbuilt `Gate` to copy for each layer, or None for stock layers.
        where: `"both"`, `"encoder"` or `"decoder"`: the networks that get gates.
        granularity: What one gate switches: `"links"`, `"weights"` or `"channels"`; that of the
            control.
        seed: Integer; fixes initial weights, gates and the noise of training.
        kernel_regularizer: Keras regularizer of every kernel; the naive baseline is
            `keras.regularizers.L1`.
        **kwargs: Passed on to `SparseVAE`: objective, likelihood, control.

    Raises:
        ValueError: for a shape, size or name that does not fit.

    References:
        Locatello et al. 2019, Challenging Common Assumptions, appendix I, 1811.12359.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim, multiple=16)
    control = kwargs.get("control")
    enc, dec = _networks(gate, where, granularity, seed, kernel_regularizer, control)
    height, width, channels = image_shape
    images = x = keras.Input(image_shape, name="images")
    for filters, size in ((32, 4), (32, 4), (64, 2), (64, 2)):
        x = enc.conv(filters, size)(x)
    x = enc.dense(256)(keras.layers.Flatten(name="encoder_flatten")(x))
    encoder = keras.Model(images, _heads(enc, latent_dim, x), name="encoder")

    z = x = keras.Input((latent_dim,), name="z")
    for units in (256, height // 16 * (width // 16) * 64):
        x = dec.dense(units)(x)
    x = keras.layers.Reshape((height // 16, width // 16, 64), name="decoder_reshape")(x)
    for filters in (64, 32, 32):
        x = dec.deconv(filters)(x)
    decoder = keras.Model(z, dec.deconv(channels, activation=None)(x), name="decoder")
    return SparseVAE(encoder, decoder, seed=seed, **kwargs)


def mlp_vae(
    image_shape: tuple[int, int, int],
    latent_dim: int = 10,
    *,
    gate: str | gates.Gate | None = None,
    where: str = "both",
    granularity: str = "links",
    seed: int = 0,
    kernel_regularizer: keras.Regularizer | str | None = None,
    hidden: int = 1200,
    **kwargs: Any,
) -> SparseVAE:
    """The fully connected VAE: encoder 1200-1200 ReLU, decoder 3 x 1200 tanh.

    Arguments and errors as for `conv_vae`, any height and width; `hidden` is the layers' width.

    References:
        Higgins et al. 2017, beta-VAE, table 1; Locatello et al. 2019, appendix I, 1811.12359.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim, multiple=1)
    control = kwargs.get("control")
    enc, dec = _networks(gate, where, granularity, seed, kernel_regularizer, control)
    encoder = _mlp_encoder(enc, image_shape, latent_dim, hidden)
    z = x = keras.Input((latent_dim,), name="z")
    for _ in range(3):
        x = dec.dense(hidden, activation="tanh")(x)
    x = dec.dense(math.prod(image_shape), activation=None)(x)
    x = keras.layers.Reshape(image_shape, name="decoder_reshape")(x)
    return SparseVAE(encoder, keras.Model(z, x, name="decoder"), seed=seed, **kwargs)


def sparse_decoding_vae(
    image_shape: tuple[int, int, int],
    latent_dim: int = 10,
    *,
    gate: str | gates.Gate | None = None,
    where: str = "both",
    granularity: str = "links",
    seed: int = 0,
    kernel_regularizer: keras.Regularizer | str | None = None,
    hidden: int = 1200,
    decoder_hidden: int = 50,
    **kwargs: Any,
) -> SparseVAE:
    """A VAE that decodes each feature, a pixel's channel, from latents of its own.

    Feature j is made of `w_j * z`, where W, the kernel of the layer `decoder_mask`, is
    `(latent_dim, n_features)`, by two ReLU layers that all features share, and a readout with
    weights and bias of its own. W is sparse by gates, or by `objectives.SpikeAndSlab`. The encoder
    is that of `mlp_vae`.

    Arguments and errors as for `mlp_vae`; `hidden` is the width of the encoder's layers,
    `decoder_hidden` that of the shared ones. These run once for each feature: time and memory are
    those of as many observations as there are pixels.

    References:
        Moran et al. 2021, Identifiable Deep Generative Models via Sparse Decoding, 2110.10804. W
        starts standard normal, as in its authors' program.
    """
    image_shape, latent_dim = _check_sizes(image_shape, latent_dim, multiple=1)
    control = kwargs.get("control")
    enc, dec = _networks(gate, where, granularity, seed, kernel_regularizer, control)
    encoder = _mlp_encoder(enc, image_shape, latent_dim, hidden)
    n_features = math.prod(image_shape)
    z = keras.Input((latent_dim,), name="z")
    sizes = (n_features, latent_dim)
    x = dec.einsum("bk,kj->bjk", sizes, "mask", initializer=_UNIT_NORMAL)(z)
    for _ in range(2):
        x = dec.dense(decoder_hidden)(x)
    start = keras.initializers.LecunUniform  # of each feature's own inputs
    x = dec.einsum("bjh,hj->bj", n_features, "readout", bias_axes="j", initializer=start)(x)
    x = keras.layers.Reshape(image_shape, name="decoder_reshape")(x)
    return SparseVAE(encoder, keras.Model(z, x, name="decoder"), seed=seed, **kwargs)


def _mlp_encoder(enc, image_shape, latent_dim, hidden):
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten(name="encoder_flatten")(images)
    for _ in range(2):
        x = enc.dense(hidden)(x)
    return keras.Model(images, _heads(enc, latent_dim, x), name="encoder")


def _heads(enc, latent_dim, x):
    """Mean and log variance, in float32 under any policy: codes in bfloat16 would be coarse."""
    return [
        enc.dense(latent_dim, name=name, activation=None, dtype="float32")(x)
        for name in ("z_mean", "z_log_var")
    ]
