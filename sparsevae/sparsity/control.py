"""The contract of a control: what opens and closes the gates of a model while it trains."""

import abc
from collections.abc import Sequence
from typing import Any

from keras import ops

from sparsevae.layers import GatedLayer
from sparsevae.training import Part, when


class Control(Part, abc.ABC):
    """Tells gates when to learn, prices their links, and keeps its own time.

    A model calls `begin_step` before a training step, adds `penalty` to the loss, and calls
    `end_step` after it. The state of a control is weights of the model: compiling again, loading
    weights alone or another optimizer leave it where it was.

    Attributes:
        n_steps: Integer variable, updates of the model that the control has seen.
        begun: Variable, 1 once gates have begun to learn.
    """

    def build(self, input_shape: Any = None) -> None:
        """Creates the control's variables; the shapes of all masks are given to subclasses."""
        state = {"shape": (), "initializer": "zeros", "trainable": False}
        state["aggregation"] = "only_first_replica"
        self.n_steps = self.add_weight(name="n_steps", dtype="int32", **state)
        self.begun = self.add_weight(name="begun", dtype="float32", **state)

    @abc.abstractmethod
    def learning(self, step: Any) -> Any:
        """1.0 where gates learn at `step`, else 0.0."""

    @abc.abstractmethod
    def progress(self, step: Any) -> Any:
        """Share of the learning phase that is over at `step`, in [0, 1]."""

    @abc.abstractmethod
    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """What the present step adds to the loss, a scalar in nats per observation."""

    def logs(self, step: Any) -> dict[str, Any]:
        """Scalars of the control at `step`, by the name under which `fit` logs them."""
        return {"learning": self.learning(step)}

    def take(self, layers: Sequence[GatedLayer]) -> None:
        """Called when the control is given to a model: new layers start as its phase wants them.

        Raises:
            ValueError: if the control already belongs to other layers.
        """
        taken = [id(layer) for layer in layers]
        if self.__dict__.setdefault("_taken", taken) != taken:
            raise ValueError(
                "`control` must belong to one model, as it keeps that model's time. Make another: "
                f"type(control).from_config(control.get_config()). Received: {self.name!r}"
            )
        if float(ops.convert_to_numpy(self.learning(ops.convert_to_tensor(self.n_steps)))) < 0.5:
            for layer in layers:
                layer.hold()

    def begin_step(self, layers: Sequence[GatedLayer]) -> None:
        """Tells the gates of `layers` where the run stands."""
        step = ops.convert_to_tensor(self.n_steps)
        learning, progress = self.learning(step), self.progress(step)
        if waiting := [layer for layer in layers if layer.waits]:
            begins = ops.logical_and(ops.greater(learning, 0.5), ops.less(self.begun, 0.5))
            when(begins, lambda: self._begin(waiting, begins))
        for layer in layers:
            layer.gate.set_phase(learning, progress)

    def _begin(self, layers, begins):
        for layer in layers:
            layer.begin(begins)
        self.begun.assign(ops.maximum(self.begun, ops.cast(begins, "float32")))

    def end_step(self, layers: Sequence[GatedLayer], updated: Any) -> None:
        """Called after the optimizer.

        Args:
            layers: As for `begin_step`.
            updated: Scalar, 1 if the weights were updated, 0 if gradients were only accumulated
                or had overflowed.
        """
        del layers  # for controls that look at the gates
        self.n_steps.assign_add(ops.cast(updated, "int32"))


def check_control(control: Any) -> None:
    """Refuses what is no control.

    Raises:
        TypeError: with what was received.
    """
    if not isinstance(control, Control):
        raise TypeError(
            "`control` must be a control such as sparsevae.sparsity.Strength(100.0), or None. "
            f"Received: control={control!r}"
        )
