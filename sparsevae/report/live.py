"""A page that renews itself while a run, a study or a search goes on."""

import contextlib
import errno
import hashlib
import html
import http.server
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sparsevae.report.kinds import kind_of
from sparsevae.report.run_page import run_page
from sparsevae.report.search_page import search_page
from sparsevae.report.study_page import study_page
from sparsevae.report.writing import FILE_NAME, all_runs

HOST = "127.0.0.1"
_LOOKED_AT = ("*.json", "*.csv", "*.keras", "*.parquet", "checkpoints/*.npz")
_MAKERS = {"run": run_page, "study": study_page, "search": search_page}


def serve_report(
    folder: str | Path, port: int = 8080, ready: Callable[[str], None] | None = None
) -> None:
    """Serves the page of a run, a study or a search on this machine until Ctrl-C.

    The page is made anew when history, checkpoints or records change, and an open one then shows
    the new one. Pages of the runs of a study are made when they are asked for. Nothing is written.

    Args:
        folder: Of a run, a study or a search.
        port: Of `http://127.0.0.1`; 0 for any free one.
        ready: Called with the address once the page can be asked for.

    Raises:
        FileNotFoundError: if the folder is of none of them.
        OSError: if the port is taken, in one line that says what to do.
    """
    with open_server(folder, port) as server, contextlib.suppress(KeyboardInterrupt):
        if ready is not None:
            ready(f"http://{HOST}:{server.server_address[1]}/")
        server.serve_forever(poll_interval=0.2)


def open_server(folder: str | Path, port: int) -> http.server.ThreadingHTTPServer:
    """The server, listening; errors as of `serve_report`."""
    folder = Path(folder)
    kind_of(folder)
    pages = _Pages(folder)

    class Handler(_Handler):
        source = pages

    try:
        server = http.server.ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
            raise OSError(f"Port {port} of {HOST} cannot be used: {error}. Try --port 0") from error
        reason = "is taken" if isinstance(error, OSError) else "does not exist"
        raise OSError(
            f"Port {port} of {HOST} {reason}. Choose another by --port, or any free one by --port 0"
        ) from error
    server.daemon_threads = True
    return server


def version_of(folder: Path) -> str:
    """A text that changes when files that pages show do: their names, sizes and times."""
    folders = [folder] if kind_of(folder) == "run" else [folder, *all_runs(folder)]
    files = [file for one in folders for pattern in _LOOKED_AT for file in one.glob(pattern)]
    parts = []
    for file in sorted(files):
        with contextlib.suppress(FileNotFoundError):  # replaced at this moment
            found = file.stat()
            parts.append(f"{file} {found.st_size} {found.st_mtime_ns}")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


class _Pages:
    """Pages by folder, made when their folder has changed since; one at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._made: dict[Path, tuple[str, str]] = {}
        self._one_at_a_time = threading.Lock()

    def page(self, folder: Path) -> str:
        with self._one_at_a_time:
            version = version_of(folder)
            if self._made.get(folder, ("",))[0] != version:
                self._made = {folder: (version, _MAKERS[kind_of(folder)](folder, live=version))}
            return self._made[folder][1]

    def folder_of(self, address: str) -> Path | None:
        """The folder whose page, or its version, is at an address; None if there is none."""
        place, _, name = unquote(urlsplit(address).path).strip("/").rpartition("/")
        if name not in ("", "version", FILE_NAME):
            return None
        if not place:
            return self.folder
        runs = {run.relative_to(self.folder).as_posix(): run for run in all_runs(self.folder)}
        return runs.get(place)


class _Handler(http.server.BaseHTTPRequestHandler):
    source: _Pages

    def do_GET(self) -> None:
        """Answers with a page, its version, or one line."""
        try:
            folder = self.source.folder_of(self.path)
            if folder is None:
                self._answer(HTTPStatus.NOT_FOUND, "<p>There is no such page.</p>")
            elif urlsplit(self.path).path.endswith("/version"):
                self._answer(HTTPStatus.OK, version_of(folder), "text/plain")
            else:
                self._answer(HTTPStatus.OK, self.source.page(folder))
        except (ValueError, OSError) as error:  # such as a folder that has gone
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"<p>{html.escape(str(error))}</p>")

    def _answer(self, status, text, kind="text/html"):
        content = text.encode()
        with contextlib.suppress(ConnectionError):  # the reader has left
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format, *args) -> None:
        """Says nothing of each request."""
