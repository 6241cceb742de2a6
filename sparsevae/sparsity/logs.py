"""What is logged of the gates of a model while it trains."""

from typing import Any

import keras
from keras import ops

from sparsevae.sparsity.links import density, gated_layers, layer_densities, share_of_links
from sparsevae.training import add_logs


def logs_of_gates(model: keras.Model, control: Any = None) -> dict[str, Any]:
    """Scalars by name: densities, the share of undecided gates, and what the control adds.

    Args:
        model: With gated layers.
        control: `Control` of the model, or None.
    """
    layers = gated_layers(model)
    logs = {
        "density": density(layers),
        "undecided": share_of_links(layers, lambda layer: layer.gate.undecided()),
    }
    logs |= {f"density/{name}": value for name, value in layer_densities(model).items()}
    if control is not None:
        logs |= control.logs(ops.convert_to_tensor(control.n_steps) - 1)  # of the last step
    return logs


class GateLogs(keras.callbacks.Callback):
    """Adds `model.gate_logs()` to the logs of each epoch; the first callback of every `fit`.

    Counting open links takes 3 % of a training step, so it is not done in each.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        add_logs(self, logs, self.model.gate_logs())
