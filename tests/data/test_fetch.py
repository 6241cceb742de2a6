"""What is said of a set before it is got, and how getting it fails."""

import socket

import prepared
import pytest
import tensorflow_datasets as tfds

from sparsevae.data import catalog, fetch


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(address, timeout):
        raise OSError("unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(fetch.urllib.request, "getproxies", dict)


@pytest.mark.parametrize("name", catalog._ENTRIES)
def test_license_citation_and_size_are_told(name):
    entry = catalog._ENTRIES[name]
    if not entry.read:
        with pytest.raises(ValueError, match="`name` must be one of"):
            fetch.about(name)
        return
    text = fetch.about(name)
    for part in (entry.size, entry.page, entry.license, entry.citation):
        assert part in text
    assert ("Put it into" in text) != fetch.can_fetch(name)


def test_what_must_be_got_by_hand(cache):
    text = fetch.about("mpi3d_real")
    for part in ("mpi3d_real.npz, md5 0f33f609918fb5c97996692f91129802", str(cache / "mpi3d_real")):
        assert part in text
    assert text.endswith("load('mpi3d_real', verify=True)")
    assert "no checksum published" in fetch.about("mpi3d_complex")
    with pytest.raises(ValueError, match="TensorFlow Datasets has no MPI3D real"):
        fetch.fetch("mpi3d_real")


@pytest.mark.parametrize("name", ["dsprites", "shapes3d", "smallnorb"])
def test_no_network_is_told_at_once(name, tmp_path, cache):
    with pytest.raises(ConnectionError) as error:
        fetch.fetch(name, tmp_path / "to")
    entry = catalog._ENTRIES[name]
    message = str(error.value)
    assert "\n" not in message
    for part in (entry.title, "no connection to", entry.files[0], entry.page, str(cache / name)):
        assert part in message


@pytest.mark.parametrize(
    "error",
    [
        OSError("connection\nlost"),
        tfds.download.DownloadError("404"),
        tfds.core.download.download_manager.NonMatchingChecksumError("other\ndigest"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_download_that_breaks_off_is_one_line(tmp_path, monkeypatch, error):
    def break_off(builder):
        raise error

    monkeypatch.setattr(fetch, "_check_network", lambda *arguments: None)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", break_off)
    match = "Shapes3D could not be fetched into .*The same command goes on.*3dshapes"
    with pytest.raises(RuntimeError, match=match) as raised:
        fetch.fetch("shapes3d", tmp_path)
    assert "\n" not in str(raised.value)


def test_a_proxy_is_not_bypassed(monkeypatch):
    monkeypatch.setattr(fetch.urllib.request, "getproxies", lambda: {"https": "http://proxy"})
    entry = catalog._ENTRIES["shapes3d"]
    fetch._check_network("shapes3d", entry, ["https://example.org/file"])


def test_what_is_prepared_is_not_downloaded(tmp_path):
    path = prepared.prepare("shapes3d", tmp_path)
    assert fetch.fetch("shapes3d", tmp_path) == path
