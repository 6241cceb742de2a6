"""Files and folders are whole or not there, whatever happens while they are written."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from sparsevae.records import atomic_file, atomic_folder
from sparsevae.records.machine import MACHINE


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def killed_while(code, folder):
    """Runs `code`, which touches `ready` and then sleeps, and kills it there."""
    header = "import os, time; from pathlib import Path; from sparsevae.records import *\n"
    process = subprocess.Popen([sys.executable, "-c", header + code], cwd=folder)
    deadline = time.monotonic() + 30
    while not (folder / "ready").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder / "ready").unlink()


def test_file_appears_whole_and_alone(tmp_path):
    target = tmp_path / "new" / "scores.json"
    with atomic_file(target) as temporary:
        temporary.write_text("1")
        assert temporary.parent == target.parent and temporary.suffix == ".json"
        assert not target.exists()
    assert target.read_text() == "1" and names(target.parent) == ["scores.json"]


def test_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_file(tmp_path / "atomic") as temporary:
        temporary.write_text("")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exception_half_way_leaves_the_old_file(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old" and names(tmp_path) == ["file.txt"]


def test_an_error_of_the_system_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / ("a" * 250)  # with what is put before and after it, too long a name
    with pytest.raises(OSError) as caught, atomic_file(path) as temporary:
        temporary.write_text("")
    assert str(caught.value).endswith(f"{str(path)!r}")


def test_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "file.txt"):
        pass
    assert names(tmp_path) == []


def test_kill_leaves_the_old_file_and_the_next_write_cleans(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    killed_while(
        "with atomic_file('file.txt') as t:\n"
        "    t.write_text('half'); Path('ready').touch(); time.sleep(60)",
        tmp_path,
    )
    assert target.read_text() == "old" and len(names(tmp_path)) == 2
    with atomic_file(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new" and names(tmp_path) == ["file.txt"]


def test_folder_appears_whole_and_alone(tmp_path):
    with atomic_folder(tmp_path / "model") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "weights").write_text("1")
        assert names(tmp_path) == [temporary.name]
        assert temporary.name.startswith(f".model.partial-{MACHINE}-{os.getpid()}-")
    assert names(tmp_path) == ["model"] and (tmp_path / "model/inner/weights").read_text() == "1"


def test_existing_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError, match="overwrite"), atomic_folder(tmp_path / "model"):
        pytest.fail("the block must not run")
    assert names(tmp_path) == ["model"]


def test_folder_finished_by_another_meanwhile_is_kept(tmp_path):
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "model"):
        (tmp_path / "model").mkdir()
    assert names(tmp_path) == ["model"]


def test_overwrite_replaces_the_whole_folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    with atomic_folder(tmp_path / "model", overwrite=True) as temporary:
        (temporary / "new").touch()
        assert names(tmp_path / "model") == ["old"]
    assert names(tmp_path / "model") == ["new"] and names(tmp_path) == ["model"]


@pytest.fixture
def steps(monkeypatch):
    """What is brought to the disk, as numbers of files, and "renamed", in order."""
    found, sync = [], os.fsync

    def fsync(descriptor):
        found.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def noted(rename):
        return lambda *names: (found.append("renamed"), rename(*names))

    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, noted(getattr(os, name)))
    return found


def test_a_file_is_on_the_disk_before_it_has_its_name_and_then_the_name(tmp_path, steps):
    with atomic_file(tmp_path / "x") as temporary:
        temporary.write_text("1")
    assert steps == [(tmp_path / "x").stat().st_ino, "renamed", tmp_path.stat().st_ino]


def test_a_folder_is_on_the_disk_before_it_has_its_name_and_then_the_name(tmp_path, steps):
    model = tmp_path / "model"
    with atomic_folder(model) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "weights").write_text("1")
    parts = {path.stat().st_ino for path in (model, *model.rglob("*"))}
    assert set(steps[:3]) == parts and steps[3:] == ["renamed", tmp_path.stat().st_ino]


def test_exception_half_way_leaves_the_old_folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    with (
        pytest.raises(RuntimeError),
        atomic_folder(tmp_path / "model", overwrite=True) as temporary,
    ):
        (temporary / "new").touch()
        raise RuntimeError
    assert names(tmp_path / "model") == ["old"] and names(tmp_path) == ["model"]


def test_failing_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    rename = os.rename

    def fails(source, target):
        if ".partial-" in str(source):
            raise OSError(errno.EIO, "broken")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="broken"), atomic_folder(tmp_path / "model", overwrite=True):
        pass
    assert names(tmp_path / "model") == ["old"] and names(tmp_path) == ["model"]


def test_kill_leaves_no_folder_and_the_next_write_cleans(tmp_path):
    killed_while(
        "with atomic_folder('model') as t:\n"
        "    (t / 'half').touch(); Path('ready').touch(); time.sleep(60)",
        tmp_path,
    )
    assert not (tmp_path / "model").exists() and len(names(tmp_path)) == 1
    with atomic_folder(tmp_path / "model") as temporary:
        (temporary / "whole").touch()
    assert names(tmp_path) == ["model"] and names(tmp_path / "model") == ["whole"]


def test_kill_between_the_renames_loses_nothing(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    killed_while(
        "rename = os.rename\n"
        "def stops(a, b):\n"
        "    if Path(b).name == 'model': Path('ready').touch(); time.sleep(60)\n"
        "    rename(a, b)\n"
        "os.rename = stops\n"
        "with atomic_folder('model', overwrite=True) as t: (t / 'new').touch()",
        tmp_path,
    )
    assert not (tmp_path / "model").exists()
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "model"):
        pass
    assert names(tmp_path) == ["model"] and names(tmp_path / "model") == ["old"]


def test_only_leftovers_of_the_same_target_and_of_dead_processes_go(tmp_path):
    dead, own = f"{MACHINE}-{dead_pid()}", f"{MACHINE}-{os.getpid()}"
    kept = [
        f".model.partial-{MACHINE}-{os.getppid()}-0a-1",  # its process runs
        f".other.partial-{dead}-0a-1",
        f"model.partial-{dead}-0a-1",
        ".model.partial-notes",
    ]
    gone = [f".model.partial-{dead}-0a-1", f".model.partial-{own}-0a-1"]  # number came up again
    for name in kept + gone:
        (tmp_path / name).mkdir()
    with atomic_folder(tmp_path / "model"):
        pass
    assert names(tmp_path) == sorted([*kept, "model"])


def test_what_a_process_of_another_user_writes_stays(tmp_path, monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    begun = tmp_path / f".model.partial-{MACHINE}-{dead_pid()}-0a-1"
    begun.mkdir()
    with atomic_folder(tmp_path / "model"):
        pass
    assert begun.exists()


@pytest.mark.parametrize("owner", ["0123456789ab-{pid}", "{pid}"])  # elsewhere; not said
def test_what_another_machine_may_be_writing_stays_for_a_day(tmp_path, monkeypatch, owner):
    begun = tmp_path / f".model.partial-{owner.format(pid=dead_pid())}-0a-1"
    (begun / "variables").mkdir(parents=True)
    with atomic_folder(tmp_path / "model"):
        pass
    assert begun.exists()
    now = time.time
    time.sleep(0.05)
    (begun / "variables" / "data").touch()  # what lies deepest says when something was written
    written = (begun / "variables" / "data").stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: written + 24 * 3600 - 0.01)
    with atomic_folder(tmp_path / "model", overwrite=True):
        pass
    assert begun.exists()
    monkeypatch.setattr(time, "time", lambda: now() + 25 * 3600)
    with atomic_folder(tmp_path / "model", overwrite=True):
        pass
    assert names(tmp_path) == ["model"]


def test_a_folder_that_another_machine_moved_aside_is_put_back_after_a_minute(
    tmp_path, monkeypatch
):
    aside = tmp_path / ".model.replaced-0123456789ab-1-0a-1"
    aside.mkdir()
    (aside / "old").touch()
    now = time.time
    for seconds in (0, 50):
        monkeypatch.setattr(time, "time", lambda s=seconds: now() + s)
        with atomic_folder(tmp_path / "model"):  # it may be about to rename its own
            pass
        assert aside.exists() and not names(tmp_path / "model")
        (tmp_path / "model").rmdir()
    monkeypatch.setattr(time, "time", lambda: now() + 61)
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "model"):
        pass
    assert names(tmp_path / "model") == ["old"] and not aside.exists()


def test_two_writers_in_one_process_do_not_meet(tmp_path):
    with atomic_file(tmp_path / "x") as first, atomic_file(tmp_path / "x") as second:
        first.write_text("1")
        second.write_text("2")
    assert (tmp_path / "x").read_text() == "1" and names(tmp_path) == ["x"]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_full_disk_is_one_clear_line(tmp_path, atomic):
    message = r"No space left for .*x: .*Free some space"
    with pytest.raises(OSError, match=message) as caught, atomic(tmp_path / "x") as temporary:
        file = temporary / "inner" if atomic is atomic_folder else temporary
        file.write_bytes(bytes(2_000_000))
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert "2.0 MB" in str(caught.value) and "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_wrong_kinds_of_target_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(IsADirectoryError), atomic_file(tmp_path):
        pass
    with pytest.raises(NotADirectoryError), atomic_folder(tmp_path / "file", overwrite=True):
        pass
