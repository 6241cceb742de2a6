"""What a folder holds."""

from pathlib import Path

from sparsevae.study.searches.gap import FILE_NAME as GAP

_OF_RUN = ("settings.json", "record.json", "history.csv", "model.keras", "checkpoints")
_OF_SEARCH = (GAP, "trials.parquet", "search.json")


def kind_of(folder: str | Path) -> str:
    """ "run", "study" or "search".

    Raises:
        FileNotFoundError: if there is no such folder, or nothing of them in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise FileNotFoundError(
            f"`folder` must be that of a run, a study or a search. Received: {folder}, {what}"
        )
    if is_run(folder):
        return "run"
    if any((folder / name).exists() for name in _OF_SEARCH) or next(folder.glob("trial_*"), None):
        return "search"
    if run_folders(folder):
        return "study"
    raise FileNotFoundError(
        "`folder` must be that of a run, a study or a search, with settings.json, record.json or "
        f"history.csv in it or in a folder below. Received: {folder}, with none"
    )


def is_run(folder: Path) -> bool:
    """Whether there is anything of a run."""
    return any((folder / name).exists() for name in _OF_RUN)


def run_folders(folder: Path) -> list[Path]:
    """Folders of runs directly under a folder, by name."""
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.is_dir() and is_run(path)
    ]
