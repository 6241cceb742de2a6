"""No test here sees the files of the user, or leaves any."""

import pytest


@pytest.fixture(autouse=True)
def no_files_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("SPARSEVAE_DATA", "DISENTANGLEMENT_LIB_DATA", "TFDS_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Folder of converted copies, empty at first."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SPARSEVAE_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    """An empty folder to put data files into."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"
