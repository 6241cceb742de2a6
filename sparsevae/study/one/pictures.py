"""The pictures of one run."""

from pathlib import Path

import numpy as np
import pandas as pd

from sparsevae import objectives, plots, sparsity
from sparsevae.data import ImageData
from sparsevae.models import SparseVAE
from sparsevae.records import atomic_file

N_IMAGES = 1_000
TRAVERSAL = np.linspace(-2.5, 2.5, 9)


def draw(vae: SparseVAE, data: ImageData, folder: Path) -> None:
    """Writes `pictures/*.png` of a run folder that holds `history.csv`."""
    images = data.images(data.draw(N_IMAGES, np.random.default_rng(0)))
    posterior = vae.encode(images)
    kl = objectives.kl_per_latent(posterior, vae.prior).numpy().mean(axis=0)
    figures = {
        "reconstructions": plots.reconstructions(images[:12], vae(images[:12]).numpy()),
        "traversals": plots.traversals(
            traversals(vae, posterior.mean().numpy()[0], TRAVERSAL), TRAVERSAL, kl_per_latent=kl
        ),
        "history": plots.history(pd.read_csv(folder / "history.csv")),
    }
    if vae.gated_layers:
        figures["masks"] = plots.masks(sparsity.masks(vae))
    for name, figure in figures.items():
        with atomic_file(folder / "pictures" / f"{name}.png") as temporary:
            figure.savefig(temporary)


def traversals(vae: SparseVAE, code: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean images while one latent of a code takes each value in turn.

    Args:
        vae: The model.
        code: Float array `(latent_dim,)`.
        values: Float array `(n_steps,)`.

    Returns:
        Float32 array `(latent_dim, n_steps, height, width, channels)` in [0, 1].
    """
    z = np.tile(code, (len(code), len(values), 1))
    for latent in range(len(code)):
        z[latent, :, latent] = values
    images = vae.decode(z.reshape(-1, len(code))).mean().numpy()
    return images.reshape(*z.shape[:2], *images.shape[1:])
