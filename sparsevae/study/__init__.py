"""Studies: the journey of one run, its settings, many runs over a grid, searches.

In: a `RunSettings`, a study in TOML, a `SearchPlan`. Out: records, tables, folders of all runs.
May import every room below. TensorFlow is loaded when a run begins, never by settings or tables.
Sub-rooms: `one` run; `cells`, above it; `sweeps` and `searches`, above both.
"""

import importlib

from sparsevae.study.searches.plan import SearchPlan
from sparsevae.study.settings import RunSettings
from sparsevae.study.sweeps.grid import Study, make_study
from sparsevae.study.sweeps.study_file import StudyFileError, read_study
from sparsevae.study.sweeps.table import study_table

_LAZY = {"run": "one.journey", "sweep": "sweeps.sweep", "search": "searches.search"}

__all__ = [
    "RunSettings",
    "SearchPlan",
    "Study",
    "StudyFileError",
    "make_study",
    "read_study",
    "study_table",
    *_LAZY,
]


def __getattr__(name):
    if name in _LAZY:
        return getattr(importlib.import_module(f"sparsevae.study.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
