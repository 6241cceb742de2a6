"""Pages into files."""

from collections.abc import Callable
from pathlib import Path

from sparsevae import records
from sparsevae.report.kinds import kind_of, run_folders
from sparsevae.report.run_page import run_page
from sparsevae.report.search_page import search_page
from sparsevae.report.study_page import study_page

FILE_NAME = "report.html"


def write_report(folder: str | Path, to: str | Path | None = None, runs: bool = False) -> Path:
    """Writes the page of a run, a study or a search: one file that needs no network.

    What is missing or damaged in the folder is named on the page.

    Args:
        folder: Of a run, a study or a search.
        to: Where the page goes; `FOLDER/report.html` by default. An older one is replaced.
        runs: Whether the pages of a study's or a search's runs are written too, into their
            folders.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: if the folder is of none of them.
        OSError: if the file cannot be written.
    """
    folder = Path(folder)
    kind = kind_of(folder)
    page = folder / FILE_NAME if to is None else Path(to)
    if runs and kind != "run":
        for run in all_runs(folder):
            _write(run / FILE_NAME, lambda run=run: run_page(run))
    makers = {
        "run": lambda: run_page(folder),
        "study": lambda: study_page(folder, page),
        "search": lambda: search_page(folder, page),
    }
    _write(page, makers[kind])
    return page


def all_runs(folder: Path) -> list[Path]:
    """Folders of runs in that of a study or a search."""
    trials = [path for path in sorted(folder.glob("trial_*")) if path.is_dir()]
    return [*run_folders(folder), *(run for trial in trials for run in run_folders(trial))]


def _write(page: Path, make: Callable[[], str]) -> None:
    content = make()
    with records.atomic_file(page) as temporary:
        temporary.write_text(content, encoding="utf-8")
