"""The loss of the last steps, for controls that steer by it."""

from typing import Any

from keras import ops

N_STEPS = 100


class SmoothedLoss:
    """Mean of the losses so far, and from `n_steps` on with weights that decay by 1 in `n_steps`.

    Args:
        control: Whose variables hold it.
        n_steps: Float, at least 1.
    """

    def __init__(self, control: Any, n_steps: float = N_STEPS):
        self.n_steps = n_steps
        self._mean = control.add_state("loss")
        self._n = control.add_state("n_losses")

    @property
    def value(self) -> Any:
        """The mean, a float32 scalar in nats; 0 before the first step."""
        return ops.convert_to_tensor(self._mean)

    @property
    def variables(self) -> list[Any]:
        """What holds it: the mean, and the number of losses in it."""
        return [self._mean, self._n]

    def add(self, loss: Any) -> None:
        """Takes in the loss of a step."""
        old, n = ops.convert_to_tensor(self._mean), ops.convert_to_tensor(self._n)
        loss = ops.cast(ops.stop_gradient(ops.convert_to_tensor(loss)), "float32")
        self._mean.assign(old + (loss - old) / (ops.minimum(n, self.n_steps - 1.0) + 1.0))
        self._n.assign(n + 1.0)
