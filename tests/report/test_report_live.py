"""Pages that renew themselves, and the commands that write and serve them."""

import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sparsevae.commands import pages
from sparsevae.report import serve_report
from sparsevae.report.live import open_server, version_of

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"


@pytest.fixture
def served():
    """Serves a folder; gives what an address answers."""
    servers = []

    def served(folder):
        server = open_server(folder, 0)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)

        def answer(address):
            place = f"http://127.0.0.1:{server.server_address[1]}/{address}"
            with urllib.request.urlopen(place, timeout=30) as found:
                return found.read().decode()

        return answer

    yield served
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def partial(run_folder):
    """A run without a model: its page is quickly made."""
    (run_folder / "model.keras").unlink()
    for checkpoint in (run_folder / "checkpoints").iterdir():
        checkpoint.unlink()
    return run_folder


def test_the_page_follows_its_folder(served, partial):
    answer = served(partial)
    version = answer("version")
    assert f'data-live="{version}"' in answer("") and "complete, 12 steps" in answer("")
    (partial / "record.json").unlink()
    assert answer("version") != version == json.loads(f'"{version}"')
    assert "not complete" in answer("report.html") and f'data-live="{version}"' not in answer("")
    assert not (partial / "report.html").exists()


def test_a_study_serves_the_pages_of_its_runs(served, study):
    answer = served(study)
    assert 'href="seed-0_binary_0.1/report.html"' in answer("")
    assert "seed-0_binary_0.1" in answer("seed-0_binary_0.1/report.html")
    assert answer("seed-0_binary_0.1/version") == version_of(study / "seed-0_binary_0.1")
    for address in ("absent/report.html", "../first/report.html", "record.json", "%2e%2e/version"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            answer(address)


def test_a_taken_port_is_said_in_a_line(partial):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"Port {port} .* is taken\. Choose another by --port"):
            serve_report(partial, port)
    with pytest.raises(OSError, match=r"Port 99999 .* does not exist"):
        serve_report(partial, 99999)


def test_ctrl_c_ends_watching_cleanly(partial):
    command = [sys.executable, str(SCRIPT), str(partial), "--watch", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # may be ignored here
    )
    try:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in out + err


def test_commands_end_by_naming_the_page(partial, monkeypatch):
    assert pages.page_line(partial, wanted=False) == ""
    assert pages.page_line(partial, wanted=True) == f"Page: {partial}/report.html"
    (partial / "report.html").unlink()
    (partial / "report.html").mkdir()  # what was done does not fail by its page
    assert pages.page_line(partial, wanted=True).startswith("No page: `path` must be a file")
    monkeypatch.setattr(pages, "_NEEDED", ("absent_package",))
    assert pages.page_line(partial, wanted=True) == ""
    with pytest.raises(ImportError, match=r"pip install 'sparsevae\[report\]'"):
        pages.room()
