"""The pictures of one run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sparsevae import objectives, plots, sparsity
from sparsevae.analysis.channel_graph import channel_graph, count_links
from sparsevae.data import ImageData
from sparsevae.models import SparseVAE
from sparsevae.records import atomic_file

N_IMAGES = 1_000
_N_MOVING = 4  # images whose traversals move
_MOST_MOVING = 10  # latents of these, by KL
_MOST_LINKS = 100_000  # a graph of more takes seconds and hundreds of megabytes
TRAVERSAL = np.linspace(-2.5, 2.5, 9)


def draw(vae: SparseVAE, data: ImageData, folder: Path) -> None:
    """Writes `pictures/` of a run folder that holds `history.csv`: PNG, and a GIF of traversals."""
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
        figures["mask_evolution"] = plots.mask_evolution(pd.read_csv(folder / "history.csv"))
        figures |= _wiring(sparsity.harden(vae))
    save(figures, folder)
    order = np.argsort(-kl, kind="stable")[:_MOST_MOVING]
    several = traversals_of(vae, posterior.mean().numpy()[:_N_MOVING], TRAVERSAL)[:, order]
    with atomic_file(folder / "pictures" / "traversals.gif") as temporary:
        plots.traversal_gif(several, temporary, names=[f"z{k}" for k in order])


def save(figures: Mapping[str, Figure], folder: Path) -> None:
    """Writes figures as `pictures/NAME.png` of a run folder."""
    for name, figure in figures.items():
        with atomic_file(folder / "pictures" / f"{name}.png") as temporary:
            figure.savefig(temporary)


def _wiring(stock: SparseVAE) -> dict[str, Figure]:
    """The diagram of a model without gates, if something is live and it has not too many links."""
    if count_links(stock.networks) > _MOST_LINKS:
        return {}
    graph = channel_graph(list(stock.networks))
    return (
        {"wiring": plots.wiring_diagram(graph)}
        if any(dict(graph.nodes(data="live")).values())
        else {}
    )


def traversals(vae: SparseVAE, code: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean images while one latent of a code takes each value in turn.

    Args:
        vae: The model.
        code: Float array `(latent_dim,)`.
        values: Float array `(n_steps,)`.

    Returns:
        Float32 array `(latent_dim, n_steps, height, width, channels)` in [0, 1].
    """
    return traversals_of(vae, code[None], values)[0]


def traversals_of(vae: SparseVAE, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Those of several codes `(n, latent_dim)`: `(n, latent_dim, n_steps, height, ...)`."""
    n, latent_dim = codes.shape
    z = np.tile(codes[:, None, None], (1, latent_dim, len(values), 1))
    for latent in range(latent_dim):
        z[:, latent, :, latent] = values
    images = vae.decode(z.reshape(-1, latent_dim)).mean().numpy()
    return images.reshape(n, latent_dim, len(values), *images.shape[1:])
