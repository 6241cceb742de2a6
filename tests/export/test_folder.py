"""Folders that are damaged, edited, incomplete or of another time."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sparsevae import export
from sparsevae.export import folder as folders

V1 = Path(__file__).with_name("v1")


@pytest.mark.parametrize("name", ["card.json", "SHA256SUMS", "saved_model.pb", "model.keras"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"copy is not an exported model: {name} is miss"):
        export.load(copied)


def test_what_is_no_export_is_refused(tmp_path):
    for path, why in ((tmp_path / "absent", "no such folder"), (tmp_path, "card.json is missing")):
        with pytest.raises(FileNotFoundError, match=rf"is not an exported model: .*{why}"):
            export.load(path)


@pytest.mark.parametrize(
    "name", ["README.md", "saved_model.pb", "variables/variables.index", "model.keras"]
)
@pytest.mark.parametrize("how", ["cut", "one byte"])
def test_a_damaged_file_is_named(copied, name, how):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content[:100] if how == "cut" else content)
    with pytest.raises(ValueError, match=rf"copy is damaged: {name} changed after the export"):
        export.load(copied)


def test_a_hand_edited_card_is_refused(copied):
    card = json.loads((copied / "card.json").read_text())
    card["scores"]["mig"] = 1.0
    (copied / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"damaged: card\.json changed"):
        export.load(copied)


def test_a_card_cut_off_is_refused(copied):
    (copied / "card.json").write_bytes((copied / "card.json").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"whole JSON file.*card\.json"):
        export.load(copied)


JUNK = (".DS_Store", "Thumbs.db", "._model.keras", "variables/.DS_Store", ".cache/hub/x.metadata")


@pytest.mark.parametrize("name", [*JUNK, "scores.json"])
def test_what_others_put_beside_an_export_is_not_looked_at(copied, name):
    (copied / name).parent.mkdir(parents=True, exist_ok=True)
    (copied / name).write_text("new")
    assert export.load(copied).latent_dim == 4


def with_crlf(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("name", ["README.md", "card.json", "SHA256SUMS"])
def test_ends_of_lines_may_be_those_of_the_system(copied, name):
    with_crlf(copied / name)
    assert export.load(copied).latent_dim == 4
    (copied / "README.md").write_text("another text")
    with pytest.raises(ValueError, match=r"damaged: README\.md changed"):
        export.load(copied)


def test_ends_of_lines_may_be_those_of_the_system_in_openvinos_xml_too(copied):
    (copied / "encoder.xml").write_text("<net>\n</net>\n")
    folders.seal(copied)
    with_crlf(copied / "encoder.xml")
    assert export.load(copied).latent_dim == 4


def test_ends_of_lines_in_binary_files_count(copied):
    with_crlf(copied / "saved_model.pb")
    with pytest.raises(ValueError, match=r"damaged: saved_model\.pb changed"):
        export.load(copied)


def test_a_relative_path_is_of_the_folder_in_which_it_was_given(copied, monkeypatch, tmp_path):
    monkeypatch.chdir(copied.parent)
    encoder = export.Encoder(copied.name)
    assert encoder.get_params()["folder"] == copied.name
    bytes_of_it = pickle.dumps(encoder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert encoder.latent_dim == pickle.loads(bytes_of_it).latent_dim == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not name card.json"),
        ("0" * 64 + "  ../../etc/passwd\n", "does not name card.json"),
        ("no checksum\n", "'no checksum' is not a checksum line"),
        ("\udcff", "is not a checksum line"),
    ],
    ids=["empty", "another path", "text", "bytes"],
)
def test_damaged_sums_are_refused(copied, text, message):
    (copied / "SHA256SUMS").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message):
        export.load(copied)


def change_card(copied, **entries):
    """An edit with new checksums: what a program of another version would write."""
    card = json.loads((copied / "card.json").read_text()) | entries
    (copied / "card.json").write_text(json.dumps(card))
    folders.seal(copied)


def test_a_newer_format_is_refused_in_one_line(copied):
    change_card(copied, format_version=folders.FORMAT_VERSION + 1, input="another contract")
    with pytest.raises(ValueError, match=r"copy has format 2;.*reads up to 1\. Update sparsevae$"):
        export.load(copied)


def test_files_and_entries_of_a_later_version_of_this_format_are_no_hindrance(copied):
    (copied / "encoder.new").write_text("of a later version")
    change_card(copied, new_entry={"a": 1})
    assert export.load(copied).latent_dim == 4


@pytest.mark.parametrize("version", [None, "1", 0, 1.5])
def test_a_card_without_format_version_is_refused(copied, version):
    change_card(copied, format_version=version)
    with pytest.raises(ValueError, match="format_version, an integer"):
        export.load(copied)


@pytest.mark.parametrize(
    "entries",
    [{"input": {}}, {"input": {"shape": [None, 16, 16]}}, {"output": {"codes": [None, "4"]}}],
    ids=["no shape", "short shape", "no size"],
)
def test_a_card_without_the_contract_is_refused(copied, entries):
    change_card(copied, **entries)
    with pytest.raises(ValueError, match=r"must hold input\.shape"):
        export.load(copied)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs coreutils")
def test_the_sums_are_those_of_sha256sum(folder):
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(command, cwd=folder, check=True)
    named = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert named == files - {"SHA256SUMS"}


# The promise to later versions


def test_a_folder_of_format_1_loads_for_ever():
    """Never write this folder anew: it stands for all that users have."""
    with np.load(V1 / "expected.npz") as expected:
        encoder = export.load(V1 / "export")
        assert encoder.image_shape == (4, 4, 1) and encoder.latent_dim == 2
        np.testing.assert_allclose(
            encoder.transform(expected["images"]), expected["codes"], atol=1e-5
        )
        reconstructed = encoder.reconstruct(expected["images"])
        np.testing.assert_allclose(reconstructed, expected["reconstructed"], atol=1e-5)
        np.testing.assert_allclose(encoder.decode(expected["codes"]), reconstructed, atol=1e-5)
    card = encoder.card
    assert card["format_version"] == 1 and card["license"] == "Apache-2.0"
    assert card["settings"]["data"] == "dsprites" and card["scores"] == {"mig": 0.25}


# Loading needs nothing of the training side

LIGHT = """
import sys
sys.modules["keras"] = None  # importing it fails: TensorFlow alone looks for it
import numpy as np
import sparsevae as sv
encoder = sv.export.load(sys.argv[1])
print(encoder.transform(np.zeros((3, 4, 4, 1), np.uint8)).shape)
names = ("tf_keras", "tensorflow_probability", "matplotlib")
names += tuple(f"sparsevae.{room}" for room in ("models", "layers", "gates", "sparsity", "study"))
print([name for name in names if name in sys.modules])
"""


def test_loading_imports_nothing_of_the_training_side():
    command = [sys.executable, "-c", LIGHT, str(V1 / "export")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:2] == ["(3, 2)", "[]"]
