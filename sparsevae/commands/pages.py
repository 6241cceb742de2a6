"""The page with which commands end, where the extra `report` is installed."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

_NEEDED = ("altair", "jinja2", "vl_convert")


def room() -> ModuleType:
    """`sparsevae.report`.

    Raises:
        ImportError: naming the extra, if a package that it needs is not installed.
    """
    if missing := _missing():
        raise ImportError(f"Reports need {missing[0]}: pip install 'sparsevae[report]'")
    return importlib.import_module("sparsevae.report")


def _missing() -> list[str]:
    """Packages of the extra that are not installed."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def page_line(folder: str | Path, wanted: bool) -> str:
    """Writes the page of a folder and says where it is; what was done does not fail by it.

    Args:
        folder: Of a run, a study or a search.
        wanted: Whether a page was asked for.

    Returns:
        A line for the terminal; empty without the extra, or where no page is wanted.
    """
    if not wanted or _missing():
        return ""
    try:
        return f"Page: {room().write_report(folder)}"
    except Exception as error:  # the work is done, and is worth more than its page
        return f"No page: {' '.join(str(error).split()) or type(error).__name__}"
