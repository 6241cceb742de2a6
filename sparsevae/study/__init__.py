"""Studies: the journey of one run, and its settings.

In: a `RunSettings`. Out: a record (dict), and the run folder with all that belongs to it.
May import every room below. `run` loads TensorFlow when it is first used, settings never do.
"""

import importlib

from sparsevae.study.settings import RunSettings

__all__ = ["RunSettings", "run"]


def __getattr__(name):
    if name == "run":
        function = importlib.import_module("sparsevae.study.run").run
        globals()["run"] = function  # the import has put the module of this name there
        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
