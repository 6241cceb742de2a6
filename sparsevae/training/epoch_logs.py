"""What callbacks add to the logs of an epoch."""

from collections.abc import Mapping
from typing import Any

import keras


def add_logs(
    callback: keras.callbacks.Callback, logs: dict[str, Any], added: Mapping[str, Any]
) -> None:
    """Adds values to the logs that all callbacks of an epoch share, in place.

    Args:
        callback: That adds them.
        logs: As `on_epoch_end` receives them.
        added: Values by name.

    Raises:
        ValueError: naming those that are in `logs` with another value; nothing is added then.
    """
    if twice := [name for name in added if name in logs and logs[name] != added[name]]:
        raise ValueError(
            "Each name in the logs must have one value. Received a second one from "
            f"{type(callback).__name__}: {', '.join(twice)}"
        )
    logs |= added
