"""From a trained model to a folder that TensorFlow alone can serve."""

import math
import warnings
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

import numpy as np
import tensorflow as tf

from sparsevae import records, sparsity
from sparsevae.checks import check_boolean
from sparsevae.export.card import readme
from sparsevae.export.folder import CARD, FORMAT_VERSION, seal
from sparsevae.export.formats import check_formats, export_formats
from sparsevae.models import SparseVAE


def save(
    vae: SparseVAE,
    folder: str | Path,
    *,
    record: dict | None = None,
    formats: Collection[str] = (),
    license: str | None = None,
    compact: bool = True,
    drop_latents: bool = False,
    overwrite: bool = False,
) -> Path:
    """Writes a SavedModel, `model.keras` and a card; the folder is whole or not there at all.

    Gates are fixed at the test rule and folded into plain kernels, and dead channels taken out.
    Signatures, for any batch size:
    `encode` (also `serving_default`): `images` float32 in [0, 1] to `codes` and `log_variance`,
    both `(n, latent_dim)`; `encode_png`: the same from `png`, strings that hold PNG files;
    `decode`: `codes` to `images`; `reconstruct`: `images` to `images`. What the folder holds, and
    that later versions load it: see `export.folder`.

    Args:
        vae: Trained model, with gates or without.
        folder: Where to; `saved_models/NAME` by custom.
        record: What the card says of data, settings and scores: the record of a run.
        formats: Formats of the encoder beside the SavedModel: "onnx", "litert", "openvino".
        license: Of the weights, such as "Apache-2.0"; None is stated as such.
        compact: Whether channels that do nothing are taken out, as by `sparsity.compact`, which
            leaves outputs as they are.
        drop_latents: Whether latents go that are closed on both sides, see `sparsity.compact`. The
            card's `latents` are the numbers of those that stay.
        overwrite: Whether an existing folder is replaced.

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder exists and `overwrite` is false.
        ImportError: if the packages of a format are not installed, naming the extra.
        OSError: if the disk is full.
        RuntimeError: if a format gives other codes than the SavedModel.
        TypeError: for another model than a `SparseVAE`, or switches that are no booleans.
        ValueError: for an unknown format, a model with NaN weights, or `drop_latents` without
            `compact`.
    """
    _check_arguments(vae, compact=compact, drop_latents=drop_latents, overwrite=overwrite)
    if drop_latents and not compact:
        raise ValueError(
            "`drop_latents` must be False with compact=False, which takes nothing out. "
            "Received: drop_latents=True"
        )
    check_formats(formats)
    folder = Path(folder)
    stock = sparsity.harden(vae, dtype="float32")
    _check_finite(stock)
    n_before = stock.count_params()
    latents = list(range(vae.latent_dim))
    if compact:
        stock, latents = _compacted(stock, drop_latents)
    with records.atomic_folder(folder, overwrite=overwrite) as temporary:
        tf.saved_model.save(
            module := _Servable(stock), str(temporary), signatures=module.signatures()
        )
        stock.save(temporary / "model.keras")
        card = _card(vae, stock, record or {}, license)
        card["n_parameters_before_compaction"] = n_before
        card["latents"] = latents
        card["dropped_latents"] = sorted({*range(vae.latent_dim)} - {*latents})
        card["formats"] = export_formats(stock.encoder, formats, temporary)
        files = [path for path in temporary.rglob("*") if path.is_file()]
        card["n_bytes"] = sum(path.stat().st_size for path in files)
        records.write_json(temporary / CARD, card)
        (temporary / "README.md").write_text(readme(card, folder.name), encoding="utf-8")
        seal(temporary)
    return folder


def _check_arguments(vae, **booleans):
    if not isinstance(vae, SparseVAE):
        name = getattr(vae, "name", vae)
        raise TypeError(f"`vae` must be a SparseVAE. Received: {type(vae).__name__} {name!r}")
    for argument, value in booleans.items():
        check_boolean(argument, value)


def _compacted(stock, drop_latents):
    """The model without dead channels, and the numbers of the latents that stay."""
    closed = np.zeros(stock.latent_dim, bool)
    if drop_latents:
        closed = sparsity.closed_latents(*stock.networks)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # the card says it
        return sparsity.compact(stock, drop_latents=drop_latents), np.flatnonzero(~closed).tolist()


def _check_finite(vae):
    weights = [*vae.encoder.weights, *vae.decoder.weights]
    bad = [weight.path for weight in weights if not np.isfinite(weight.numpy()).all()]
    if bad:
        raise ValueError(
            "`vae` must have finite weights: this one has diverged, go back to a checkpoint. "
            f"Received: NaN or infinite values in {bad[0]} and {len(bad) - 1} others"
        )


class _Servable(tf.Module):
    """The graphs of a SavedModel; holds the variables only, so that nothing is stored twice."""

    def __init__(self, vae):
        super().__init__()
        self._variables = [v.value for v in vae.encoder.variables + vae.decoder.variables]
        self._vae = lambda: vae  # out of sight of TensorFlow, which would track a model

    def signatures(self):
        height_width_channels = self._vae().image_shape
        images = tf.TensorSpec((None, *height_width_channels), tf.float32, name="images")
        codes = tf.TensorSpec((None, self._vae().latent_dim), tf.float32, name="codes")
        png = tf.TensorSpec((None,), tf.string, name="png")
        encode = tf.function(self._encode, input_signature=[images])
        signatures = {
            "serving_default": encode,
            "encode": encode,
            "decode": tf.function(self._decode, input_signature=[codes]),
            "reconstruct": tf.function(self._reconstruct, input_signature=[images]),
        }
        if height_width_channels[-1] in (1, 3):
            signatures["encode_png"] = tf.function(self._encode_png, input_signature=[png])
        return signatures

    def _encode(self, images):
        z_mean, z_log_var = self._vae().encoder(images, training=False)
        return {"codes": z_mean, "log_variance": z_log_var}

    def _encode_png(self, png):
        shape = self._vae().image_shape

        def decode(file):
            return tf.ensure_shape(tf.io.decode_png(file, channels=shape[-1]), shape)

        spec = tf.TensorSpec(shape, tf.uint8)
        images = tf.map_fn(decode, png, fn_output_signature=spec)
        return self._encode(tf.cast(images, tf.float32) * (1 / 255))

    def _decode(self, codes):
        decoded = self._vae().decoder(codes, training=False)
        return {"images": self._vae().likelihood(decoded).mean()}

    def _reconstruct(self, images):
        return self._decode(self._encode(images)["codes"])


def _card(vae, stock, record, license):
    layers = sparsity.gated_layers(vae)
    densities = sparsity.by_name((layer.name, float(np.mean(_is_open(layer)))) for layer in layers)
    named = ("settings", "n_steps_planned", "data_source", "step")
    named += ("elbo", "scores", "active_latents")
    return {
        "format_version": FORMAT_VERSION,
        "license": license,
        "input": {
            "name": "images",
            "shape": [None, *vae.image_shape],
            "dtype": "float32",
            "range": [0, 1],
        },
        "output": {"codes": [None, stock.latent_dim], "log_variance": [None, stock.latent_dim]},
        **{name: record[name] for name in named if name in record},
        "density": float(sparsity.share_of_links(layers, _is_open)) if layers else 1.0,
        "densities": densities,
        "n_gates": sum(math.prod(layer.gate.mask_shape) for layer in layers),
        "n_parameters": stock.count_params(),
        "versions": {name: metadata.version(name) for name in ("sparsevae", "keras", "tensorflow")},
    }


def _is_open(layer):
    """Of the mask as it is folded: while a gate anneals, closed links still let some through."""
    return layer.gate.mask(training=False) > 0
