import dataclasses

import numpy as np
import pytest
import tiny
from scipy import special, stats

from sparsevae import records
from sparsevae.study.cells.cell import note_failure
from sparsevae.study.searches import gap as gaps
from sparsevae.study.searches.gap import Gap, collapse_gap, collapsed_elbo

DATA = tiny.Tiny()
IMAGES = DATA.images(np.arange(len(DATA)))[..., 0] / 255


def test_bernoulli_is_the_best_constant_decoder():
    """The log likelihood of all images under the mean image; any other decoder does worse."""

    def elbo(p):
        return (special.xlogy(IMAGES, p) + special.xlogy(1 - IMAGES, 1 - p)).sum((1, 2)).mean()

    mean = IMAGES.mean(axis=0)
    found = collapsed_elbo(DATA, "bernoulli", n_images=20_000)
    assert found == pytest.approx(elbo(mean), rel=0.01)
    assert found > elbo(np.clip(mean, 0.05, 0.95)) and found > elbo(np.clip(mean + 0.05, 0, 1))


def test_gaussian_is_the_density_of_the_mean_image():
    variance = 0.3
    log_density = stats.norm.logpdf(IMAGES, IMAGES.mean(axis=0), np.sqrt(variance))
    expected = log_density.sum(axis=(1, 2)).mean()
    found = collapsed_elbo(DATA, "gaussian", variance, n_images=20_000)
    assert found == pytest.approx(expected, rel=0.01)


def test_images_that_are_all_the_same_lose_nothing():
    class Same(tiny.Tiny):
        def images(self, indices):
            return np.repeat(super().images(np.zeros(1, int)), len(indices), axis=0)

    assert collapsed_elbo(Same(), "bernoulli", n_images=100) == 0
    constant = -IMAGES[0].size / 2 * np.log(2 * np.pi * 0.5)
    assert collapsed_elbo(Same(), "gaussian", n_images=100) == pytest.approx(constant)


@pytest.fixture
def trained(monkeypatch):
    """In place of training: the dense run reaches -20 nats."""
    calls = []

    def run_cell(folder, settings, wait):
        calls.append(settings)
        records.write_record(folder / settings.name, {"elbo": -20.0})

    monkeypatch.setattr(gaps, "run_cell", run_cell)
    return calls


def test_the_gap_is_measured_once(trained, settings, tmp_path):
    settings = dataclasses.replace(settings, gate_options={"initial_density": 0.9})
    gap = collapse_gap(settings, tmp_path)
    assert gap.dense == -20 and gap.nats == pytest.approx(-20 - gap.collapsed)
    assert collapse_gap(settings, tmp_path) == gap == Gap(gap.collapsed, -20.0)
    (dense,) = trained
    assert dense == dataclasses.replace(settings, name="dense", gate="none", gate_options={})


def test_the_dense_twin_has_no_control(trained, settings, tmp_path):
    changes = {"control": "target_density", "granularity": "channels", "scope": "layer"}
    base = dataclasses.replace(settings, strength=100.0)
    collapse_gap(dataclasses.replace(base, target_density=0.3, **changes), tmp_path)
    assert trained == [dataclasses.replace(base, name="dense", gate="none")]


def test_a_dense_model_that_learned_nothing_is_no_measure(trained, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(gaps, "collapsed_elbo", lambda *_: -20.0)
    with pytest.raises(
        RuntimeError, match=r"no better than -20\.00 without any latent\. Train longer"
    ):
        collapse_gap(settings, tmp_path)
    assert not (tmp_path / gaps.FILE_NAME).exists()


def test_a_dense_model_that_failed_says_why(settings, tmp_path):
    note_failure(tmp_path / "dense", "diverged: NaN", lasting=True)
    with pytest.raises(RuntimeError, match=r"The dense model.*diverged: NaN"):
        collapse_gap(settings, tmp_path)
