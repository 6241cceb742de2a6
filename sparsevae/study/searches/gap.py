"""Δ, the unit of sparsity strength: what a model loses that loses all its latents."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from sparsevae import records
from sparsevae.data import ImageData
from sparsevae.study.cells.cell import failure, run_cell
from sparsevae.study.controls import OF_CONTROL
from sparsevae.study.one.loading import load_data
from sparsevae.study.settings import RunSettings

FILE_NAME = "gap.json"
DENSE = "dense"
_N_IMAGES = 10_000
_BATCH = 1_000


@dataclasses.dataclass(frozen=True)
class Gap:
    """ELBO in nats per observation: of the best model without latents, of the dense model."""

    collapsed: float
    dense: float

    @property
    def nats(self) -> float:
        """Δ."""
        return self.dense - self.collapsed


def collapse_gap(settings: RunSettings, folder: str | Path) -> Gap:
    """Δ of a data set and a model: trains the dense twin of these settings, once.

    The ELBO of the collapsed model needs no training: its decoder can do no better than the mean
    image, and its KL is 0. The dense twin is a run of the same length, in `FOLDER/dense`, which
    other processes wait for and which goes on after a kill.

    Args:
        settings: Of a trial.
        folder: Of the search.

    Returns:
        The gap, also in `gap.json`.

    Raises:
        RuntimeError: if the dense run fails, or is no better than the collapsed model.
    """
    folder = Path(folder)
    if gap := known_gap(folder):
        return gap
    of_control = {field: getattr(RunSettings, field) for field in OF_CONTROL}
    dense = dataclasses.replace(settings, name=DENSE, gate="none", gate_options={}, **of_control)
    run_cell(folder, dense, wait=1.0)
    if noted := failure(folder / DENSE):
        raise RuntimeError(f"The dense model, which Δ is measured on, failed: {noted['reason']}")
    data = load_data(settings)
    gap = Gap(
        collapsed_elbo(data, settings.likelihood, settings.variance),
        records.read_record(folder / DENSE)["elbo"],
    )
    if not gap.nats > 0:
        raise RuntimeError(
            f"The dense model reached an ELBO of {gap.dense:.2f} in {settings.n_steps} steps, no "
            f"better than {gap.collapsed:.2f} without any latent. Train longer: `n_steps`"
        )
    records.write_json(folder / FILE_NAME, dataclasses.asdict(gap))
    return gap


def known_gap(folder: str | Path) -> Gap | None:
    """The gap of a search that has measured it."""
    path = Path(folder, FILE_NAME)
    return Gap(**records.read_json(path)) if path.exists() else None


def collapsed_elbo(
    data: ImageData,
    likelihood: str,
    variance: float = 0.5,
    n_images: int = _N_IMAGES,
    seed: int = 0,
) -> float:
    """Largest ELBO of a model whose latents say nothing, nats per observation, in closed form.

    Its decoder gives one distribution for all images. Bernoulli: the sum over pixels of
    m log m + (1 - m) log(1 - m), m the mean image. Gaussian: minus half of the pixels' variances
    over the likelihood's, minus half of log(2 pi variance) a pixel.

    Args:
        data: Data set.
        likelihood: "bernoulli" or "gaussian".
        variance: Of the Gaussian.
        n_images: Images that the means are taken over, drawn uniformly.
        seed: Of the draw.
    """
    numbers = data.draw(n_images, np.random.default_rng(seed))
    total = squares = 0.0
    for start in range(0, n_images, _BATCH):
        images = data.images(numbers[start : start + _BATCH]).astype(np.float64) / 255
        total, squares = total + images.sum(axis=0), squares + np.square(images).sum(axis=0)
    mean = total / n_images
    if likelihood == "gaussian":
        spread = squares / n_images - np.square(mean)
        return float(-(spread / variance + math.log(2 * math.pi * variance)).sum() / 2)
    # x log x is 0 at 0
    return float(sum((p * np.log(np.where(p > 0, p, 1.0))).sum() for p in (mean, 1 - mean)))
