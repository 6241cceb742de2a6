"""Another layer like one that a model has."""

from typing import Any

import keras


def copied(layer: Any, /, **settings: Any) -> Any:
    """A new layer, or operation, of the same config but for `settings`; weights are its own.

    Args:
        layer: Of a functional model.
        settings: What differs in its config.

    Raises:
        ValueError: if its `get_config` and `from_config` do not make another one.
    """
    kind = type(layer)
    try:
        return kind.from_config({**layer.get_config(), **settings})
    except Exception as error:
        reason = str(error).partition("\n")[0]
        what = "Layer" if isinstance(layer, keras.layers.Layer) else "Operation"
        raise ValueError(
            f"{what} {layer.name!r} cannot be copied, as its `get_config` and `from_config` do "
            f"not make another {kind.__name__}: {reason}"
        ) from error
