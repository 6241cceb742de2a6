"""From a trained model to a folder that TensorFlow alone can serve."""

import hashlib
import math
import os
from importlib import metadata
from pathlib import Path

import tensorflow as tf

from sparsevae import records, sparsity
from sparsevae.models import SparseVAE

FORMAT_VERSION = 1


def save(
    vae: SparseVAE,
    folder: str | Path,
    *,
    record: dict | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a SavedModel, `model.keras` and `card.json`; the folder is whole or not there at all.

    Gates are fixed at the test rule and folded into plain kernels. Signatures, for any batch size:
    `encode` (also `serving_default`): `images` float32 in [0, 1] to `codes` and `log_variance`,
    both `(n, latent_dim)`; `decode`: `codes` to `images`; `reconstruct`: `images` to `images`.

    Args:
        vae: Trained model, with gates or without.
        folder: Where to; `saved_models/NAME` by custom.
        record: What the card says of data, settings and scores: the record of a run.
        overwrite: Whether an existing folder is replaced.

    Returns:
        The folder.

    Raises:
        FileExistsError: if the folder exists and `overwrite` is false.
        OSError: if the disk is full.
    """
    stock = _stock_twin(vae)
    with records.atomic_folder(folder, overwrite=overwrite) as temporary:
        tf.saved_model.save(
            module := _Servable(stock), str(temporary), signatures=module.signatures()
        )
        stock.save(temporary / "model.keras")
        records.write_json(temporary / "card.json", _card(vae, stock, temporary, record or {}))
    return Path(folder)


def _stock_twin(vae):
    """The model in stock float32 layers, whatever policy it was trained under."""
    return SparseVAE(
        sparsity.fold(vae.encoder, dtype="float32"),
        sparsity.fold(vae.decoder, dtype="float32"),
        objective=vae.objective,
        likelihood=vae.likelihood,
        active_threshold=vae.active_threshold,
        seed=vae.seed,
    )


class _Servable(tf.Module):
    def __init__(self, vae):
        super().__init__()
        self._variables = [v.value for v in vae.encoder.variables + vae.decoder.variables]
        self._vae = vae

    def signatures(self):
        images = tf.TensorSpec((None, *self._vae.image_shape), tf.float32, name="images")
        codes = tf.TensorSpec((None, self._vae.latent_dim), tf.float32, name="codes")
        encode = tf.function(self._encode, input_signature=[images])
        return {
            "serving_default": encode,
            "encode": encode,
            "decode": tf.function(self._decode, input_signature=[codes]),
            "reconstruct": tf.function(self._reconstruct, input_signature=[images]),
        }

    def _encode(self, images):
        z_mean, z_log_var = self._vae.encoder(images, training=False)
        return {"codes": z_mean, "log_variance": z_log_var}

    def _decode(self, codes):
        decoded = self._vae.decoder(codes, training=False)
        return {"images": self._vae.likelihood(decoded).mean()}

    def _reconstruct(self, images):
        return self._decode(self._encode(images)["codes"])


def _card(vae, stock, folder, record):
    named = ("settings", "data_source", "step", "elbo", "scores", "active_latents")
    return {
        "format_version": FORMAT_VERSION,
        "input": {
            "name": "images",
            "shape": [None, *vae.image_shape],
            "dtype": "float32",
            "range": [0, 1],
        },
        "output": {"codes": [None, vae.latent_dim], "log_variance": [None, vae.latent_dim]},
        **{name: record[name] for name in named if name in record},
        "density": vae.gate_logs().get("density", 1.0),
        "densities": {k: float(v) for k, v in sparsity.layer_densities(vae).items()},
        "n_gates": sum(math.prod(layer.gate.mask_shape) for layer in vae.gated_layers),
        "n_parameters": stock.count_params(),
        "n_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "sha256": _digests(folder),
        "versions": {name: metadata.version(name) for name in ("sparsevae", "keras", "tensorflow")},
    }


def _digests(folder):
    """SHA-256 of every file, by path inside the folder."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            relative = path.relative_to(folder).as_posix()
            found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))
