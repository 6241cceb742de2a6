"""Converted copies: made once, by one process, whole or not there at all."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import true_files
from true_files import FORMATS, nothing_kept

from sparsevae.data import DataFileError
from sparsevae.data.array import MappedArray
from sparsevae.data.files import CacheError
from sparsevae.data.storage.cache import cached, stamps

SHAPE = (50, 4, 4, 1)
ROWS = np.random.default_rng(0).integers(256, size=SHAPE, dtype=np.uint8)


def fill(target):
    target[: len(ROWS)] = ROWS


def never(target):
    pytest.fail("converted again")


def convert(sources=(), fill=fill, **arguments):
    return cached("copy", SHAPE, list(sources), fill, **arguments)


def test_a_copy_is_made_once():
    np.testing.assert_array_equal(convert()[np.arange(50)], ROWS)
    np.testing.assert_array_equal(convert(fill=never)[np.arange(50)], ROWS)


def test_rows_may_come_in_any_order():
    def scattered(target):
        numbers = np.random.default_rng(1).permutation(50)
        for piece in np.split(numbers, [7, 8, 30]):
            target[piece] = ROWS[piece]

    np.testing.assert_array_equal(convert(fill=scattered)[np.arange(50)], ROWS)


@pytest.mark.parametrize("rows", [ROWS.astype(np.int64), ROWS[1:], ROWS[..., 0]])
def test_wrong_rows_are_refused(rows, cache):
    def wrong(target):
        target[:50] = rows

    with pytest.raises(ValueError, match=r"`rows` must be uint8 \(50, 4, 4, 1\)"):
        convert(fill=wrong)
    assert nothing_kept(cache)


def test_another_source_is_converted_anew(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"1")
    convert(stamps([source]))
    convert(stamps([source]), fill=never)
    source.write_bytes(b"12")
    with pytest.raises(pytest.fail.Exception, match="converted again"):
        convert(stamps([source]), fill=never)


def test_what_vouches_for_a_copy_comes_last_and_goes_first(cache, monkeypatch):
    """After an end between the two renames nothing vouches for the array, not the old file."""
    old, new, replace = [["source", 1, 1]], [["source", 1, 2]], os.replace
    convert(old)

    def ends(source, target):
        if target.suffix == ".json":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", ends)
    with pytest.raises(KeyboardInterrupt):
        convert(new)
    for sources in (old, new):
        with pytest.raises(pytest.fail.Exception, match="converted again"):
            convert(sources, fill=never)


def test_a_copy_is_on_the_disk_before_it_has_its_name(cache, monkeypatch):
    steps, sync, replace = [], os.fsync, os.replace

    def fsync(descriptor):
        steps.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def renamed(source, target):
        steps.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    convert()
    npy, sidecar = ((cache / "converted" / name) for name in ("copy.npy", "copy.json"))
    numbers = [path.stat().st_ino for path in (npy, sidecar)]
    assert steps == [numbers[0], npy.name, numbers[1], sidecar.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda npy: npy.write_bytes(npy.read_bytes()[:-1]),
        lambda npy: npy.write_bytes(npy.read_bytes() + b"1"),
        lambda npy: npy.write_bytes(b"\0" * npy.stat().st_size),
        lambda npy: npy.unlink(),
        lambda npy: npy.with_suffix(".json").unlink(),
        lambda npy: npy.with_suffix(".json").write_text("{"),
        lambda npy: npy.with_suffix(".json").write_text("[]"),
        lambda npy: npy.with_suffix(".json").write_text("{}"),
    ],
    ids=["shorter", "longer", "zeros", "no array", "no json", "cut json", "list", "empty"],
)
def test_what_is_not_whole_is_converted_anew(cache, damage):
    convert()
    damage(cache / "converted" / "copy.npy")
    np.testing.assert_array_equal(convert()[np.arange(50)], ROWS)
    convert(fill=never)


def test_verify_finds_a_changed_byte(cache):
    convert()
    npy = cache / "converted" / "copy.npy"
    content = bytearray(npy.read_bytes())
    content[-1] ^= 1
    npy.write_bytes(content)
    convert(fill=never)
    with pytest.raises(DataFileError, match=r"copy\.npy is damaged: its sha256 is .*Delete it"):
        convert(verify=True)


def test_what_fails_leaves_nothing(cache):
    def half(target):
        target[:20] = ROWS[:20]
        raise DataFileError("the source is damaged")

    with pytest.raises(DataFileError, match="the source is damaged"):
        convert(fill=half)
    assert nothing_kept(cache)


def test_a_full_disk_is_named_before_writing(cache, monkeypatch):
    usage = type("usage", (), {"free": 100})
    monkeypatch.setattr("sparsevae.data.storage.cache.shutil.disk_usage", lambda path: usage)
    with pytest.raises(CacheError, match=r"No space left for .*copy\.npy.*0 MB are free"):
        convert(fill=never)
    assert nothing_kept(cache)


def test_a_disk_that_fills_up_is_named(cache):
    class Full:
        def __init__(self, file):
            self.file = file

        def seek(self, position):
            return self.file.seek(position)

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fills_up(target):
        target[:20] = ROWS[:20]
        target._file = Full(target._file)
        target[20:] = ROWS[20:]

    with pytest.raises(CacheError, match=r"No space left for .*copy.npy") as error:
        convert(fill=fills_up)
    assert error.value.errno == errno.ENOSPC and "SPARSEVAE_CACHE" in str(error.value)
    assert "\n" not in str(error.value)
    assert nothing_kept(cache)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARSEVAE_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"cannot be written.*SPARSEVAE_CACHE"):
        convert()


PROGRAM = """
import pathlib, resource, sys, time
import numpy as np, true_files
from sparsevae.data.read import shapes3d
from sparsevae.data.storage import cache
path = pathlib.Path(sys.argv[1])
{before}
data = shapes3d.read_shapes3d(path, true_files.SHAPES3D)
print(int(data.images(np.arange(len(data))).sum(dtype=np.int64)))
"""


def child(folder, before=""):
    """A process of its own that converts the tiny Shapes3D in `folder`, after some other code."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(before=before), str(folder / "3dshapes.h5")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# Leaves a mark after each write, and then takes its time.
SLOW = """
def __setitem__(self, where, rows, write=cache.Target.__setitem__):
    write(self, where, rows)
    with open(path.with_name("log"), "a") as log:
        log.write("w")
    time.sleep({seconds})
cache.Target.__setitem__ = __setitem__
"""


def wait_for(path, process):
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


def expected_sum():
    return int(true_files.banded(true_files.SHAPES3D, (64, 64, 3)).sum(dtype=np.int64))


def test_of_two_processes_one_converts(folder):
    true_files.write_shapes3d(folder)
    processes = [child(folder, SLOW.format(seconds=1)) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) == expected_sum()
    assert (folder / "log").read_text() == "w"  # all rows were written once


def test_a_killed_conversion_leaves_nothing_that_counts(folder, cache):
    true_files.write_shapes3d(folder)
    process = child(folder, SLOW.format(seconds=600))
    wait_for(folder / "log", process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    partial = cache / "converted" / ".shapes3d.npy.partial"
    assert partial.stat().st_size > 1_000_000  # all pixels were there, and still it does not count
    assert not (cache / "converted" / "shapes3d.npy").exists()
    again = child(folder)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0 and int(out) == expected_sum(), err
    assert not partial.exists()


def test_a_real_limit_of_the_system_is_named(folder, cache):
    true_files.write_shapes3d(folder)
    limited = child(folder, "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))")
    _, err = limited.communicate(timeout=60)
    last = err.strip().splitlines()[-1]
    assert "CacheError" in last and "Cannot write" in last and "File too large" in last
    assert nothing_kept(cache)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_really_full_is_named(folder, monkeypatch, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed")
    try:
        monkeypatch.setenv("SPARSEVAE_CACHE", str(disk))
        write, read, space = FORMATS["shapes3d"]
        path = write(folder)
        with pytest.raises(CacheError, match=r"No space left for .*needs 2 MB, 1 MB are free"):
            read(path, space)
        # Something else takes the space that seemed free.
        usage = type("usage", (), {"free": 10**9})
        monkeypatch.setattr("sparsevae.data.storage.cache.shutil.disk_usage", lambda path: usage)
        with pytest.raises(CacheError, match=r"No space left for .*No space left on device"):
            read(path, space)
        assert nothing_kept(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_sidecar_says_what_it_was_made_of(folder, cache):
    write, read, space = FORMATS["shapes3d"]
    path = write(folder)
    read(path, space)
    sidecar = json.loads((cache / "converted" / "shapes3d.json").read_text())
    assert sidecar["sources"][0][:2] == ["3dshapes.h5", path.stat().st_size]
    assert sidecar["shape"] == [len(space), 64, 64, 3] and len(sidecar["sha256"]) == 64
    assert isinstance(read(path, space)._rows, MappedArray)
