"""Rotating the latents of runs: what stays the same, and what is measured."""

import functools

import numpy as np
import pytest

from sparsevae import metrics
from sparsevae.study import RunSettings, run
from sparsevae.study.one.impossibility import rotate_runs


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    parent, folders = tmp_path_factory.mktemp("runs"), []
    common = {"data": "toy", "model": "mlp", "hidden": 16, "latent_dim": 3, "metrics": ["mig"]}
    for gate, more in (("none", {}), ("pruned", {"control": "random", "target_density": 0.2})):
        settings = RunSettings(gate, gate=gate, n_steps=30, checkpoint_every=30, **common, **more)
        run(settings, parent)
        folders.append(parent / gate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "evaluate", functools.partial(metrics.evaluate, n_samples=500))
        return rotate_runs(folders, [0, 30], n_rotations=2, n_images=50)


def test_there_is_a_row_for_each_case(table):
    assert len(table) == 2 * 2 * 2
    assert {*table.gate} == {"none", "pruned"} and {*table.angle} == {0.0, 30.0}
    assert np.isfinite(table.select_dtypes("number")).all().all()


def test_the_elbo_stays_and_links_open(table):
    for _, group in table.groupby(["run", "rotation"]):
        before, after = (group[group.angle == angle].iloc[0] for angle in (0, 30))
        assert after.elbo == pytest.approx(before.elbo, abs=2e-3)
        assert after.elbo_diagonal <= before.elbo_diagonal + 0.5
    pruned = table[table.gate == "pruned"].groupby("angle").links.mean()
    assert pruned[30.0] > 1.5 * pruned[0.0]
