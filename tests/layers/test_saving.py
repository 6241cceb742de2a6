"""Files hold the raw kernel and the gate, and load in a process that only imports the layers."""

import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from all_gates import MAKERS, array, spread
from all_layers import CASES, GRANULARITIES, ONE_OF_EACH, kernel_of, mask_shape

from sparsevae import gates
from sparsevae.layers import GatedLayer

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
GATES = list(MAKERS)

# In a fresh process: argument 1 is the folder, argument 2 the names of the models
LOAD = """
import json, sys
from pathlib import Path
import keras, numpy as np
import sparsevae.layers

folder, names = Path(sys.argv[1]), json.loads(sys.argv[2])
found = {}
for name in names:
    x = np.load(folder / f"{name}.npy")
    whole = keras.models.load_model(folder / f"{name}.keras")
    rebuilt = keras.models.model_from_json((folder / f"{name}.json").read_text())
    rebuilt.load_weights(folder / f"{name}.weights.h5")
    for way, model in (("keras", whole), ("h5", rebuilt)):
        found[f"{name}/{way}/outputs"] = np.asarray(model(x, training=False))
        layer = model.layers[-1]
        separable = hasattr(layer, "pointwise_kernel")
        kernel = layer.pointwise_kernel if separable else layer.kernel
        found[f"{name}/{way}/kernel"] = np.asarray(kernel)
    if (folder / f"{name}.saved_model").exists():
        import tensorflow as tf
        served = tf.saved_model.load(str(folder / f"{name}.saved_model"))
        found[f"{name}/saved_model/outputs"] = np.asarray(served.serve(x))
np.savez(folder / "found.npz", **found)
"""


def make_model(layer_name, gate_name, granularity="links"):
    (gated_class, _), arguments, shape = CASES[layer_name]
    gate = MAKERS[gate_name]()
    if gate_name == "fixed":
        mask = np.random.default_rng(1).integers(0, 2, mask_shape(layer_name, granularity))
        gate = gates.Fixed(mask)
    gated = gated_class(**arguments, gate=gate, granularity=granularity)
    model = keras.Sequential([keras.Input(shape[1:]), gated])
    layer = model.layers[-1]
    spread(layer.gate)
    layer.bias.assign(np.arange(4))
    return model, np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder, models by name, and what a fresh process found in the files."""
    folder = tmp_path_factory.mktemp("saved")
    models = {}
    for number, layer_name in enumerate(ONE_OF_EACH):  # each layer once, the others in turn
        gate_name, granularity = GATES[number % len(GATES)], GRANULARITIES[number % 3]
        name = f"{layer_name}-{gate_name}-{granularity}"
        model, x = make_model(layer_name, gate_name, granularity)
        models[name] = (model, x)
        np.save(folder / f"{name}.npy", x)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        (folder / f"{name}.json").write_text(model.to_json())
        if ON_TENSORFLOW and number % 2 == 0:  # takes a second
            model.export(folder / f"{name}.saved_model", verbose=False)
    command = [sys.executable, "-c", LOAD, str(folder), json.dumps(list(models))]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with np.load(folder / "found.npz") as found:
        return folder, models, dict(found)


WAYS = ["keras", "h5", *(["saved_model"] if ON_TENSORFLOW else [])]


@pytest.mark.parametrize("way", WAYS)
def test_outputs_in_a_fresh_process_are_the_same(saved, way):
    _, models, found = saved
    for name, (model, x) in models.items():
        outputs = found.get(f"{name}/{way}/outputs")
        if way == "saved_model" and outputs is None:
            continue  # half of them are exported
        expected = array(model(x, training=False))
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("way", ["keras", "h5"])
def test_kernels_in_a_fresh_process_are_the_raw_ones(saved, way):
    _, models, found = saved
    for name, (model, _) in models.items():
        expected = array(kernel_of(model.layers[-1]))
        np.testing.assert_array_equal(found[f"{name}/{way}/kernel"], expected)


def test_the_file_itself_holds_the_raw_kernel_once(saved):
    folder, models, _ = saved
    for name, (model, _) in models.items():
        (layer,) = model.layers
        assert isinstance(layer, GatedLayer)
        stored = []
        with h5py.File(folder / f"{name}.weights.h5") as file:
            file.visititems(
                lambda _, item, stored=stored: (
                    stored.append(item[()]) if isinstance(item, h5py.Dataset) else None
                )
            )
        kernel = array(kernel_of(layer))
        kernels = [value for value in stored if value.shape == kernel.shape]
        if kernel.shape == layer.gate.mask_shape:  # a dense layer's gate looks alike
            kernels = [value for value in kernels if np.array_equal(value, kernel)]
        assert len(kernels) == 1
        np.testing.assert_array_equal(kernels[0], kernel)


@pytest.mark.parametrize("name", ["dense", "conv"])
def test_lora_is_merged_by_saving(name, tmp_path):
    model, x = make_model(name, "hard_concrete_median")
    layer = model.layers[-1]
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.random.default_rng(2).normal(size=layer.lora_kernel_b.shape))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(loaded(x)), array(model(x)), rtol=1e-4, atol=1e-5)
