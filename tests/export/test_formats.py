"""The encoder in other formats: the same codes, in the same folder."""

import json
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from sparsevae import export
from sparsevae.export import formats, runtimes

FORMATS = ("onnx", "litert", "openvino")
for package in ("onnxruntime", "tf2onnx", "ai_edge_litert", "openvino"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def all_formats(vae, tmp_path_factory):
    return export.save(vae, tmp_path_factory.mktemp("formats") / "all", formats=FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("n", [1, 7, 256])
def test_codes_are_those_of_the_model(vae, all_formats, images, name, n):
    call = runtimes.RUNTIMES[name](all_formats / formats.FILES[name])
    found = call(images[:n] / np.float32(255))
    posterior = vae.encode(images[:n])
    assert set(found) == {"codes", "log_variance"}
    np.testing.assert_allclose(found["codes"], posterior.mean(), atol=1e-5)
    np.testing.assert_allclose(found["log_variance"], np.log(posterior.variance()), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_at_once(vae, all_formats, name):
    images = np.random.default_rng(3).random((10_000, 16, 16, 1), np.float32)
    call = runtimes.RUNTIMES[name](all_formats / formats.FILES[name])
    np.testing.assert_allclose(call(images)["codes"], vae.codes(images), atol=1e-5)


def test_the_card_says_how_close_they_are(all_formats):
    card = json.loads((all_formats / "card.json").read_text())
    assert set(card["formats"]) == set(FORMATS)
    for name, entry in card["formats"].items():
        assert (all_formats / entry["file"]).is_file() and 0 <= entry["max_difference"] < 1e-5
        assert entry["versions"]
        assert f"{name} (`{entry['file']}`)" in (all_formats / "README.md").read_text()
    assert card["formats"]["onnx"]["versions"]["onnxruntime"] == metadata.version("onnxruntime")
    assert export.load(all_formats).latent_dim == 4


def test_other_codes_are_refused(vae, monkeypatch, tmp_path):
    def off(path):
        call = runtimes.onnx(path)
        return lambda images: {name: out + 1e-3 for name, out in call(images).items()}

    monkeypatch.setitem(formats.RUNTIMES, "onnx", off)
    with pytest.raises(RuntimeError, match=r"onnx export gives other (codes|log_variance).*0\.001"):
        export.save(vae, tmp_path / "off", formats=["onnx"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["onxx"], ValueError, "Did you mean 'onnx'"),
        ("onnx", TypeError, "`formats` must be a list"),
    ],
)
def test_bad_formats_are_refused(vae, tmp_path, given, error, message):
    with pytest.raises(error, match=message):
        export.save(vae, tmp_path / "bad", formats=given)


@pytest.mark.parametrize(
    ("name", "package"),
    [("onnx", "tf2onnx"), ("litert", "ai_edge_litert"), ("openvino", "openvino")],
)
def test_the_extra_is_named_before_anything_is_written(vae, tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package}.*pip install 'sparsevae\[{name}\]'"):
        export.save(vae, tmp_path / "none", formats=[name])
    assert list(tmp_path.iterdir()) == []


def test_onnx_runs_without_tensorflow(all_formats):
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\nfrom sparsevae.export import runtimes\n"
        "call = runtimes.onnx(Path(sys.argv[1]))\n"
        "print(call(np.zeros((2, 16, 16, 1), np.float32))['codes'].shape)\n"
        "print([name for name in ('tensorflow', 'keras', 'onnx') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(all_formats / "encoder.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["(2, 4)", "[]"], done.stderr[-2000:]


def test_where_ci_was_set_it_stays_set(monkeypatch):
    for value in (None, "false"):
        if value is None:
            monkeypatch.delenv("CI", raising=False)
        else:
            monkeypatch.setenv("CI", value)
        with formats._quiet_exporters():
            assert formats.os.environ["CI"] == "true"
        assert formats.os.environ.get("CI") == value
