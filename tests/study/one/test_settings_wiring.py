"""Every setting of a run arrives somewhere: one that changes nothing fails here.

Runs are the real journey of `study.run` but for the work: `fit` draws its batches and trains
nothing, the test counts weights, pixels of few images are scored, nothing is saved or drawn.
"""

import dataclasses
import functools
import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tiny
from PIL import Image

from sparsevae import gates, metrics, models, objectives, records, sparsity
from sparsevae.data import catalog
from sparsevae.sparsity.small_weights import kernels
from sparsevae.study import RunSettings, run

run_room = importlib.import_module("sparsevae.study.one.journey")

DATA = tiny.Tiny()
BASE = {"name": "first", "data": "tiny", "latent_dim": 3, "metrics": ["mig"], "seed": 3}
BASE |= {"n_steps": 20, "checkpoint_every": 4, "batch_size": 8, "gate": "none"}


class Journey:
    """One run, and what it handed on.

    Attributes:
        settings, parent, data, vae, record: Of the run; `parent` holds its folder.
        batches: Images that `fit` drew, a list of arrays.
        fields: All that it drew, a list of dicts.
        epochs: Steps at the ends of the epochs that `fit` was asked for.
        callbacks: Of `fit`.
        tested: First batch of the test.
        process_seed: Of NumPy's process-wide generator when training began.
    """

    def __init__(self, settings: RunSettings, parent: Path, patch: pytest.MonkeyPatch):
        self.settings, self.parent = settings, parent
        self.batches, self.fields, self.epochs = [], [], []

        def load_data(settings, load=run_room.load_data):
            self.data = load(settings)
            return self.data

        def fit(vae, batches, *, steps_per_epoch, initial_epoch, epochs, callbacks, verbose):
            assert initial_epoch < epochs, "a step that is never reached"
            self.vae, self.callbacks = vae, callbacks
            self.process_seed = np.random.get_state()[1][0]
            drawn = iter(batches)
            for _ in range(initial_epoch, epochs):
                fields = [next(drawn) for _ in range(steps_per_epoch)]
                self.fields += [f if isinstance(f, dict) else {"images": f} for f in fields]
                self.batches = [fields["images"].numpy() for fields in self.fields]
                vae.optimizer.iterations.assign_add(steps_per_epoch)
                self.epochs.append(int(vae.optimizer.iterations))

        def evaluate(vae, batches, **kwargs):
            self.tested = next(iter(batches)).numpy()
            n_weights = sum(np.count_nonzero(kernel) for kernel in kernels(vae).values())
            return {"loss": 0.0, "penalty": 0.0, "elbo": n_weights}

        patch.setattr(run_room, "load_data", load_data)
        patch.setattr(models.SparseVAE, "fit", fit)
        patch.setattr(models.SparseVAE, "evaluate", evaluate)
        patch.setattr(models.SparseVAE, "codes", lambda vae, x: x.reshape(len(x), -1)[:, 50:53])
        patch.setattr(models.SparseVAE, "save", lambda vae, path: path.touch())
        patch.setattr(metrics, "evaluate", functools.partial(metrics.evaluate, n_samples=100))
        patch.setattr(run_room.pictures, "draw", lambda *args: None)
        self.record = run(settings, parent)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of what settings may name: images, factors, a picture, the file of a set."""
    folder = tmp_path_factory.mktemp("files")
    numbers = np.arange(len(DATA))
    np.save(folder / "own.npy", DATA.images(numbers))
    factors = pd.DataFrame(DATA.factors(numbers), columns=["top", "left", "side"])
    factors.to_csv(folder / "own.csv", index=False)
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "sets").mkdir()
    (folder / "sets" / "stored.npz").touch()
    return folder


@pytest.fixture(scope="module")
def journey(files, tmp_path_factory):
    """Makes the run of some settings, in the folder of files; the same one once."""

    def read(path, verify):
        data = tiny.Tiny()
        data.source = "file"
        return data

    stored = catalog._Entry("Stored", ("stored.npz",), read=read, render=tiny.Tiny)
    made = {}

    def journey(settings):
        key = repr(sorted(settings.items()))
        if key not in made:
            keras.config.set_dtype_policy("float32")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(files)
                patch.setenv("SPARSEVAE_CACHE", str(files / "cache"))
                patch.setitem(catalog._ENTRIES, "stored", stored)
                parent = tmp_path_factory.mktemp("runs")
                made[key] = Journey(RunSettings(**settings), parent, patch)
        return made[key]

    return journey


# What of a journey is looked at


def shown(journey):
    """Factors of the images that `fit` drew, integers `(n, 3)`."""
    images = np.concatenate(journey.batches)[..., 0] > 0
    rows, columns = images.any(axis=2), images.any(axis=1)
    return np.stack([rows.argmax(1), columns.argmax(1), rows.sum(1) // 2 - 2], axis=1)


def most_colors(journey):
    """Number of colours of the most colourful image that `fit` drew."""
    images = np.concatenate(journey.batches)
    return max(len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) for image in images)


def objective(*names):
    return lambda journey: [getattr(journey.vae.objective, name, None) for name in names]


def n_changed(journey):
    """How many factors differ in a pair, of all pairs that `fit` drew."""
    partners = [fields.get("partner", fields["images"]).numpy() for fields in journey.fields]
    pairs = zip(np.concatenate(journey.batches), np.concatenate(partners), strict=True)
    both = [[shown_in(image) for image in pair] for pair in pairs]
    return {int(sum(a != b for a, b in zip(*pair, strict=True))) for pair in both}


def shown_in(image):
    """Factors of one image."""
    lit = image[..., 0] > 0
    rows, columns = lit.any(axis=1), lit.any(axis=0)
    return rows.argmax(), columns.argmax(), rows.sum()


def inner_gamma(objective):
    """γ of the objective that supervision is put on; None without supervision."""
    return getattr(getattr(objective, "objective", None), "gamma", None)


def n_labelled(journey):
    """How many images came with labels."""
    images = [f["images"].numpy()[f["labels"].numpy()[:, 0] >= 0] for f in journey.fields]
    return len(np.unique(np.concatenate(images), axis=0))


def seed_of(array, make):
    """The seed that makes this array, None if no small one does."""
    return next((seed for seed in range(9) if np.array_equal(array, make(seed))), None)


def first_batch(seed, n_images=8):
    return next(iter(DATA.as_tf_dataset(n_images, seed))).numpy()


def first_kernel(seed):
    return keras.initializers.GlorotUniform(1000 * seed + 1)((4, 4, 1, 32))


def weight_layers(journey):
    layers = [*journey.vae.encoder.layers, *journey.vae.decoder.layers]
    return [layer for layer in layers if hasattr(layer, "kernel")]


def kinds(journey):
    """Classes of the gates and regularizers of all kernels."""
    layers = weight_layers(journey)
    parts = [
        getattr(layer, name, None) for layer in layers for name in ("gate", "kernel_regularizer")
    ]
    return {type(part) for part in parts if part is not None}


def l1(journey):
    return {float(layer.kernel_regularizer.l1) for layer in weight_layers(journey)}


def initial_densities(journey):
    return {layer.gate.initial_density for layer in journey.vae.gated_layers}


def gate_places(journey):
    return {layer.name.partition("_")[0] for layer in journey.vae.gated_layers}


def control(*names):
    return lambda journey: [getattr(journey.vae.control, name) for name in names]


def granularities(journey):
    """Of the gated layers and of the control."""
    parts = [*journey.vae.gated_layers, journey.vae.control]
    return {part.granularity for part in parts}


def score_names(journey):
    """Names of the scores in the record, which are those of their file."""
    scores = journey.record["scores"]
    assert records.read_json(journey.parent / "first" / "scores.json") == scores
    return {name.removesuffix("_active").removesuffix("_ceiling") for name in scores}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a setting is to be seen.

    Attributes:
        field: The setting.
        value: Another than that of `BASE`.
        observe: What the setting changes, of a `Journey`.
        expected: What `observe` gives with the value.
        others: Settings of both runs, with and without the value.
    """

    field: str
    value: Any
    observe: Callable[[Journey], Any]
    expected: Any
    others: Mapping[str, Any] = dataclasses.field(default_factory=dict)


OWN = {"data": "./own.npy", "metrics": ["mutual_information_score"]}
GATED = {"gate": "hard_concrete"}
STORED = {"data": "stored"}
L1 = {"gate": "l1_weights"}
TARGET = GATED | {"control": "target_density"}
PRUNED = {"gate": "pruned", "control": "magnitude"}
SPARSE_DECODING = {"model": "sparse_decoding", "hidden": 8, "decoder_hidden": 3}
DISTORTION = GATED | {"control": "distortion", "bound": 9.0}
RIGL = {"gate": "pruned", "control": "rigl"}
PAIRS = {"objective": "ada_gvae"}
LABELS = {"supervision": "l2"}
catalog_of_objectives = objectives.catalog.OBJECTIVES
CONTROLS = {
    "target_density": sparsity.TargetDensity,
    "magnitude": sparsity.MagnitudePruning,
    "top_k": sparsity.TopK,
    "rigl": sparsity.RigL,
    "set": sparsity.SET,
    "random": sparsity.FixedMask,
}
PLACES = [
    Place("name", "second", lambda j: [path.name for path in j.parent.iterdir()], ["second"]),
    Place("name", "second", lambda j: j.callbacks[1].folder.name, "second"),
    # data
    Place("data", "color_tiny", lambda j: j.data.name, "color_tiny"),
    Place(
        "data_source", "render", lambda j: j.data.source, "render", STORED | {"data_dir": "sets"}
    ),
    Place("data_dir", "sets", lambda j: j.record["data_source"], "file", STORED),
    Place("factors", "own.csv", lambda j: j.record["factor_names"], ["top", "left", "side"], OWN),
    Place("image_size", 32, lambda j: j.vae.image_shape, (32, 32, 1), OWN),
    Place("background", "wall.png", most_colors, 2, {"data": "scream_tiny"}),
    # what of it training sees
    Place("correlated", {"row,column": 0.01}, lambda j: {*(shown(j)[:, 0] - shown(j)[:, 1])}, {0}),
    Place("confounder", {"size": 0.01}, lambda j: {*map(sum, shown(j))}, {0, 15}),
    Place("withheld", ["row=0-3", "row=6"], lambda j: {*shown(j)[:, 0]}, {4, 5, 7}),
    Place("only", "column=1,5-6", lambda j: {*shown(j)[:, 1]}, {1, 5, 6}),
    # model
    Place("model", "mlp", lambda j: weight_layers(j)[0].name, "encoder_dense_1"),
    Place("hidden", 7, lambda j: weight_layers(j)[0].units, 7, {"model": "mlp"}),
    Place("model", "sparse_decoding", lambda j: weight_layers(j)[4].name, "decoder_mask"),
    Place("hidden", 7, lambda j: weight_layers(j)[0].units, 7, SPARSE_DECODING),
    Place("decoder_hidden", 7, lambda j: weight_layers(j)[5].units, 7, SPARSE_DECODING),
    Place("latent_dim", 4, lambda j: j.vae.latent_dim, 4),
    Place("likelihood", "gaussian", lambda j: type(j.vae.likelihood), objectives.Gaussian),
    Place("variance", 0.1, lambda j: j.vae.likelihood.variance, 0.1, {"likelihood": "gaussian"}),
    # objective
    *(
        Place("objective", name, lambda j: type(j.vae.objective), catalog_of_objectives[name])
        for name in objectives.list()
        if name not in ("beta_vae", "semi_supervised", "spike_and_slab")
    ),
    Place(
        "objective",
        "spike_and_slab",
        lambda j: type(j.vae.objective),
        objectives.SpikeAndSlab,
        SPARSE_DECODING,
    ),
    Place("beta", 4.0, lambda j: j.vae.objective.beta, 4.0),
    Place("beta", 4.0, lambda j: j.vae.objective.beta, 4.0, PAIRS),
    Place(
        "objective_options",
        {"gamma": 3, "hidden": 5.0},
        objective("gamma", "hidden"),
        [3, 5],
        {"objective": "factor_vae"},
    ),
    Place("objective_options", {"kind": "ii"}, objective("kind"), ["ii"], {"objective": "dip_vae"}),
    Place("n_changed", 2, n_changed, {2}, PAIRS),
    Place("n_changed", 0, n_changed, {1, 2}, PAIRS),
    Place("supervision", "cov", objective("kind"), ["cov"]),
    Place(
        "supervision",
        "l2",
        lambda j: inner_gamma(j.vae.objective),
        7.0,
        {"objective": "factor_vae", "objective_options": {"gamma": 7}},
    ),
    Place("supervision_strength", 3.0, objective("gamma"), [3.0], LABELS),
    Place("n_labels", 4, n_labelled, 4, LABELS),
    Place(
        "analyses", ["decoder_view"], lambda j: [*j.record.get("analyses", {})], ["decoder_view"]
    ),
    # gates, and what closes them
    Place("gate", "hard_concrete", kinds, {gates.HardConcrete}),
    Place("gate", "binary", kinds, {gates.Binary}),
    Place("gate", "annealed_sigmoid", kinds, {gates.AnnealedSigmoid}),
    Place("gate", "continuous", kinds, {gates.Continuous}),
    Place("gate", "l1_weights", kinds, {keras.regularizers.L1}),
    Place("gate_options", {"initial_density": 0.7}, initial_densities, {0.7}, GATED),
    Place("where", "encoder", gate_places, {"encoder"}, GATED),
    Place("where", "decoder", gate_places, {"decoder"}, GATED),
    Place("granularity", "channels", granularities, {"channels"}, GATED),
    Place("granularity", "weights", granularities, {"weights"}, PRUNED),
    *(
        Place("control", name, lambda j: type(j.vae.control), kind, GATED)
        for name, kind in CONTROLS.items()
    ),
    Place("control", "magnitude", kinds, {gates.Pruned}, GATED),
    Place("target_density", 0.3, control("density"), [0.3], TARGET),
    Place("target_density", 0.3, control("density"), [0.3], PRUNED),
    Place("bound", 7.0, control("bound"), [7.0], DISTORTION),
    Place("scope", "layer", control("scope"), ["layer"], TARGET),
    Place("scope", "erk", control("scope"), ["erk"], PRUNED),
    Place("strength", 7.0, control("strength"), [7.0], GATED),
    Place("strength", 7.0, l1, {7.0}, L1),
    Place("weighting", "flops", control("weighting"), ["flops"], GATED),
    Place("open_until", 0.2, control("ramp", "freeze"), [(4, 8), 17], GATED),
    Place("full_at", 0.5, control("ramp", "freeze"), [(2, 10), 17], GATED),
    Place("freeze_at", 0.9, control("ramp", "freeze"), [(2, 8), 18], GATED),
    Place("open_until", 0.2, control("ramp", "freeze"), [(4, 8), 17], TARGET),
    Place("open_until", 0.2, control("begin", "end"), [4, 14], PRUNED),
    Place("full_at", 0.5, control("begin", "end"), [2, 10], PRUNED),
    Place("full_at", 0.5, control("begin", "end"), [0, 10], RIGL),
    Place("cut_threshold", 9.0, lambda j: j.record["share_cut"]["all"], 1.0, L1),
    Place("cut_threshold", 9.0, lambda j: j.record["elbo_after_cut"], 0, L1),
    # training
    Place("n_steps", 42, lambda j: [len(j.batches), j.record["step"]], [42, 42]),
    Place("n_steps", 42, lambda j: j.callbacks[0].n_steps, 42),
    Place("n_steps", 42, control("ramp", "freeze"), [(4, 17), 36], GATED),
    Place("batch_size", 5, lambda j: {len(batch) for batch in j.batches}, {5}),
    Place("learning_rate", 0.5, lambda j: float(j.vae.optimizer.learning_rate), 0.5),
    Place("precision", "mixed_bfloat16", lambda j: weight_layers(j)[0].compute_dtype, "bfloat16"),
    Place("steps_per_execution", 2, lambda j: j.vae.steps_per_execution, 2),
    Place("checkpoint_every", 10, lambda j: j.epochs, [10, 20]),
    # scores, and chance
    Place("metrics", ["sap"], score_names, {"sap", "spread_latents"}),
    Place("seed", 4, lambda j: j.process_seed, 4),
    Place("seed", 4, lambda j: j.vae.seed, 4),
    Place("seed", 4, lambda j: j.vae.gated_layers[0].gate.seed, 4001, GATED),
    Place("seed", 4, control("seed"), [4], RIGL),
    Place("seed", 4, objective("seed"), [4], {"objective": "factor_vae"}),
    Place("seed", 4, lambda j: seed_of(weight_layers(j)[0].kernel, first_kernel), 4),
    Place("seed", 4, lambda j: seed_of(j.batches[0], first_batch), 4),
    Place("seed", 4, lambda j: seed_of(j.tested, lambda s: first_batch(s + 2**20, 250)), 4),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.field}-{place.value}")
def test_a_setting_arrives(place, journey):
    before = {**BASE, **place.others}
    plain, changed = journey(before), journey({**before, place.field: place.value})
    assert place.observe(changed) == place.expected
    assert place.observe(plain) != place.expected
    assert changed.record["settings"] == dataclasses.asdict(changed.settings)


THREADS = """
from tensorflow.config import threading
from sparsevae.study import RunSettings, run
try:
    run(RunSettings("a", data="toy", data_dir="./absent", n_threads=3))
except FileNotFoundError:  # after threads are chosen, before there is work
    print(threading.get_intra_op_parallelism_threads())
    print(threading.get_inter_op_parallelism_threads())
"""


def test_n_threads_arrive(tmp_path):
    """A process chooses them once, so this is one of its own."""
    child = subprocess.run(
        [sys.executable, "-c", THREADS], cwd=tmp_path, capture_output=True, text=True
    )
    assert child.stdout.split() == ["3", "3"], child.stderr


def test_every_setting_has_a_place():
    places = {place.field for place in PLACES} | {"n_threads"}
    places |= {"pruned_from", "mask_from"}  # see test_prune
    assert places == {field.name for field in dataclasses.fields(RunSettings)}
