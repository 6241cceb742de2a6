"""Studies: the journey of one run, its settings, many runs over a grid, searches.

In: a `RunSettings`, a study in TOML, a `SearchPlan`. Out: records, tables, folders of all runs.
May import every room below. TensorFlow is loaded when a run begins, never by settings or tables.
"""

import importlib
import sys
import types

from sparsevae.study.grid import Study, make_study
from sparsevae.study.plan import SearchPlan
from sparsevae.study.settings import RunSettings
from sparsevae.study.study_file import StudyFileError, read_study
from sparsevae.study.table import study_table

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
        return getattr(importlib.import_module(f"sparsevae.study.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Room(types.ModuleType):
    """`study.run` is the function, also after an import that binds its module to this name."""

    def __setattr__(self, name, value):
        is_module = name in _LAZY and isinstance(value, types.ModuleType)
        super().__setattr__(name, getattr(value, name) if is_module else value)


sys.modules[__name__].__class__ = _Room
