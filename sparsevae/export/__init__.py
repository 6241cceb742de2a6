"""Export: a trained model as a folder that needs TensorFlow only.

In: a `SparseVAE`, or such a folder. Out: a sealed folder with its card; an `Encoder`.
`save` may import TensorFlow, keras, and the rooms below. What loads a folder needs nothing of the
training side: it may import `data.images` and `records`; TensorFlow and runtimes when called.
"""

import importlib

__all__ = ["Encoder", "load", "save"]

_HOME = {"Encoder": "encoder", "load": "encoder", "save": "saved_model"}


def __getattr__(name):
    if name in _HOME:
        member = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = member
        return member
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
