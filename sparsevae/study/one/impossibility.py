"""What rotations of the latents change of a run: scores and links, not the likelihood."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_probability as tfp
from tqdm import tqdm

from sparsevae import metrics, sparsity
from sparsevae.models import SparseVAE
from sparsevae.models.rotation import random_rotation, rotated
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.scoring import load_run, settings_of

tfd = tfp.distributions

LEAST = 0.01  # of the largest weight of a kernel, for a link that counts


def rotate_runs(
    folders: Sequence[str | Path],
    angles: Sequence[float],
    n_rotations: int = 3,
    n_images: int = 1000,
) -> pd.DataFrame:
    """Rotates the latents of runs by several angles, in several random planes each.

    Args:
        folders: Of complete runs.
        angles: Degrees.
        n_rotations: Random planes for each angle; the same for each run and angle.
        n_images: Images of the ELBO.

    Returns:
        A row for each run, rotation and angle: `run`, `gate`, `density` (of the run), `seed`,
        `rotation`, `angle`; `elbo` under the rotated posterior with its full covariance and
        `elbo_diagonal` under the diagonal one that an encoder can give, nats per image by one
        sample; `mig`, `dci` (disentanglement); `links`, the share of the links of both kernels that
        the rotation is folded into whose weight is above 1 % of the kernel's largest.

    Raises:
        FileNotFoundError: if a run is absent or not complete.
        ValueError: as `models.rotation.rotated`.
    """
    rows = []
    for folder in folders:
        vae, record = load_run(folder)
        vae = sparsity.harden(vae, dtype="float32")  # half precision would round the rotation
        settings = settings_of(record, folder)
        data = load_data(settings, record["data_source"])
        images = data.images(data.draw(n_images, np.random.default_rng(0))) / np.float32(255)
        known = {"run": Path(folder).name, "gate": settings.gate, "seed": settings.seed}
        known["density"] = record.get("density", 1.0)
        cases = [(number, angle) for number in range(n_rotations) for angle in angles]
        for number, angle in tqdm(cases, desc=Path(folder).name[:40], disable=None):
            rotation = random_rotation(vae.latent_dim, np.radians(angle), number)
            row = {**known, "rotation": number, "angle": float(angle)}
            rows.append({**row, **_measured(vae, rotation, data, images)})
    return pd.DataFrame(rows)


def _measured(vae, rotation, data, images):
    turned = rotated(vae, rotation)
    scores = metrics.evaluate(turned.codes, data, metrics=["mig", "dci_fast"], seed=0)
    return {
        **_elbos(vae, turned, rotation, images),
        "mig": scores["mig"],
        "dci": scores["dci_fast_disentanglement"],
        "links": _share_of_links(turned),
    }


def _elbos(vae: SparseVAE, turned: SparseVAE, rotation: np.ndarray, images: np.ndarray) -> dict:
    """Means over images, z drawn from the run's own posterior and turned."""
    own = vae.encode(images)
    z = own.sample(seed=(0, 1))
    turned_z = tf.matmul(z, rotation.astype("float32"), transpose_b=True)
    log_likelihood = turned.decode(turned_z).log_prob(images) + turned.prior.log_prob(turned_z)
    # In double precision: variances of one posterior differ by powers of ten.
    variances = tf.cast(own.stddev(), tf.float64) ** 2
    covariance = tf.einsum("ij,bj,kj->bik", rotation, variances, rotation)
    mean = tf.matmul(tf.cast(own.mean(), tf.float64), rotation, transpose_b=True)
    full = tfd.MultivariateNormalTriL(mean, tf.linalg.cholesky(covariance))
    exact_z = tf.matmul(tf.cast(z, tf.float64), rotation, transpose_b=True)
    elbo = tf.cast(log_likelihood, tf.float64) - full.log_prob(exact_z)
    return {
        "elbo": float(tf.reduce_mean(elbo)),
        "elbo_diagonal": float(tf.reduce_mean(turned.elbo(images))),
    }


def _share_of_links(turned):
    """Of the encoder's head of means and the decoder's first kernel."""
    kernels = [
        turned.encoder.get_layer("encoder_z_mean").kernel,
        turned.decoder.get_layer("decoder_dense_1").kernel,
    ]
    kernels = [np.abs(np.array(kernel)) for kernel in kernels]
    counted = [kernel > LEAST * kernel.max() for kernel in kernels]
    return float(sum(c.sum() for c in counted) / sum(c.size for c in counted))
