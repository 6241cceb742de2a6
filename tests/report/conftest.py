"""A run, a study and a search of few steps, made once; and a browser, where there is one."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser_tab import Tab

from sparsevae import plots, records

SETTINGS = {
    "name": "first",
    "data": "toy",
    "model": "conv",
    "latent_dim": 4,
    "strength": 20.0,
    "n_steps": 12,
    "checkpoint_every": 4,
    "batch_size": 8,
    "metrics": ["mig"],
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder as of a run of 12 steps; not to be changed. Nothing is trained: that takes longer."""
    from sparsevae.models.checkpoints import checkpoint_path, save_state
    from sparsevae.study import RunSettings
    from sparsevae.study.one.loading import load_data
    from sparsevae.study.one.plan import read_plan, write_plan
    from sparsevae.study.one.training import build

    settings = RunSettings(**SETTINGS)
    folder, data = tmp_path_factory.mktemp("runs") / "first", load_data(settings)
    folder.mkdir()
    write_plan(folder, read_plan(folder, settings))
    vae = build(settings, data)
    vae.optimizer.build(vae.trainable_variables)
    rng = np.random.default_rng(0)
    for variable in vae.decoder.trainable_variables:  # so that its pictures are not all alike
        variable.assign_add(rng.normal(scale=0.1, size=variable.shape))
    vae.save(folder / "model.keras")
    (folder / "checkpoints").mkdir()
    save_state(vae, checkpoint_path(folder / "checkpoints", 12))
    history = {"step": [4, 8, 12], "elbo": [-150.0, -99.0, -80.5], "kl": [1.0, 2.0, 3.0]}
    history |= {"density": [1.0, 0.9, 0.8], "density/decoder_dense_1": [1.0, 0.8, 0.7]}
    pd.DataFrame({**history, "active_latents": [4.0, 3.0, 3.0]}).to_csv(
        folder / "history.csv", index=False
    )
    picture = plots.reconstructions(data.images(np.arange(4)), data.images(np.arange(4)) / 255)
    (folder / "pictures").mkdir()
    for name in ("reconstructions", "traversals"):
        picture.savefig(folder / "pictures" / f"{name}.png")
    write_record(folder, settings, data)
    return folder


def write_record(folder, settings, data):
    """A record with what pages show."""
    finding = {"name": "dead_latents", "step": 12, "layer": None, "evidence": {"n_latents": 1.0}}
    record = {
        "name": settings.name,
        "settings": dataclasses.asdict(settings),
        "n_steps_planned": 12,
        "data_source": data.source,
        "factor_names": list(data.factor_names),
        "step": 12,
        "elbo": -80.25,
        "reconstruction": 77.0,
        "kl": 3.25,
        "active_latents": 3.0,
        "density": 0.8,
        "effective_density": 0.75,
        "densities": {"decoder_dense_1": 0.7},
        "findings": [{**finding, "remedy": "lower the weight of the KL"}],
        "scores": {"mig": 0.2, "mig_active": 0.25, "mig_ceiling": 0.9, "spread_latents": 3.0},
    }
    records.write_record(folder, record)


@pytest.fixture(scope="session")
def page(trained, tmp_path_factory):
    """Its page."""
    from sparsevae.report import write_report

    return write_report(trained, tmp_path_factory.mktemp("pages") / "run.html")


@pytest.fixture
def run_folder(trained, tmp_path):
    """A copy of the run, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "first"))


def record_of(trained, seed, gate, density, elbo):
    """A record as of a cell of a study."""
    record = records.read_record(trained)
    record["settings"] |= {"seed": seed, "gate": gate, "target_density": density}
    record["settings"]["control"] = "target_density"
    record |= {"density": density, "elbo": elbo}
    return record if gate != "none" else {k: v for k, v in record.items() if "densit" not in k}


@pytest.fixture(scope="session")
def study(trained, tmp_path_factory):
    """Two seeds of two gates at two densities, a dense run, one that failed, one under way."""
    parent = tmp_path_factory.mktemp("studies") / "prices"
    rng = np.random.default_rng(0)
    for gate in ("binary", "continuous", "none"):
        for density in (0.1, 0.5) if gate != "none" else (1.0,):
            for seed in (0, 1):
                folder = parent / f"seed-{seed}_{gate}_{density}"
                record = record_of(trained, seed, gate, density, -30 + rng.normal())
                records.write_json(folder / "settings.json", {"settings": record["settings"]})
                records.write_record(folder, record)
    failed = parent / "seed-2_binary_0.1"
    settings = {**record["settings"], "seed": 2, "gate": "binary"}
    records.write_json(failed / "settings.json", {"settings": settings})
    records.write_json(failed / "failed.json", {"reason": "diverged: NaN", "lasting": True})
    begun = parent / "seed-2_binary_0.5"
    records.write_json(begun / "settings.json", {"settings": settings})
    pd.DataFrame({"step": [4], "elbo": [-90.0], "density": [0.9]}).to_csv(begun / "history.csv")
    return parent


@pytest.fixture(scope="session")
def search(trained, tmp_path_factory):
    """Three trials, two on the front, with the dense run."""
    parent = tmp_path_factory.mktemp("searches") / "search"
    trials = pd.DataFrame(
        {
            "trial": ["00", "01", "02"],
            "status": ["complete", "complete", "failed"],
            "strength": [3.0, 30.0, 90.0],
            "gate": ["binary", "continuous", "binary"],
            "elbo": [-30.0, -40.0, np.nan],
            "density": [0.5, 0.1, np.nan],
            "reason": ["", "", "diverged"],
            "on_front": [True, True, False],
        }
    )
    parent.mkdir()
    trials.to_parquet(parent / "trials.parquet")
    plan = {"objectives": ["elbo", "density"], "over": "strength"}
    records.write_json(parent / "search.json", {"plan": plan})
    records.write_json(parent / "gap.json", {"collapsed": -100.0, "dense": -25.0})
    records.write_record(parent / "dense", record_of(trained, 0, "none", 1.0, -25.0))
    for trial in trials.trial[:2]:
        records.write_record(
            parent / f"trial_{trial}" / "seed_0", record_of(trained, 0, "binary", 0.1, -30.0)
        )
    return parent


@pytest.fixture(scope="session")
def chromium():
    """Path of a browser, see `browser`."""
    path = os.environ.get("SPARSEVAE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("needs chromium on the path, or at SPARSEVAE_CHROMIUM")
    return path


@pytest.fixture(scope="module")  # its event loop is in the way of other modules
def browser(chromium, tmp_path_factory):
    """Debian's chromium by playwright."""
    from playwright import sync_api

    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync"
    )
    with sync_api.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"), executable_path=chromium, args=flags.split()
        )
        yield context
        context.close()


@pytest.fixture
def open_page(browser):
    """Opens pages, and closes them."""
    tabs = []

    def open_page(*args, **kwargs):
        tabs.append(Tab(browser, *args, **kwargs))
        return tabs[-1]

    yield open_page
    for tab in tabs:
        tab.page.close()
