"""Studies: the journey of one run, its settings, many runs over a grid, searches.

In: a `RunSettings`, a study in TOML, a `SearchPlan`. Out: records, tables, folders of all runs.
May import every room below. TensorFlow is loaded when a run begins, never by settings or tables.
"""

import importlib

from sparsevae.study.grid import Study, make_study
from sparsevae.study.plan import SearchPlan
from sparsevae.study.settings import RunSettings
from sparsevae.study.study_file import StudyFileError, read_study
from sparsevae.study.table import study_table

# Nobody else imports the module `run`, or its name would stand for the module.
_LAZY = {"run": "run", "sweep": "studies", "search": "searches"}

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
        function = getattr(importlib.import_module(f"sparsevae.study.{_LAZY[name]}"), name)
        globals()[name] = function  # the import has put the module of this name there
        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
