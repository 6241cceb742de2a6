"""The contract of a control: what opens and closes the gates of a model while it trains."""

import abc
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

from keras import ops

from sparsevae import gates
from sparsevae.checks import check_choice
from sparsevae.layers import GatedLayer
from sparsevae.layers.gated import GRANULARITIES
from sparsevae.training import GroupedOptimizer, Part, when


class Control(Part, abc.ABC):
    """Tells gates when to learn, prices their links or sets their masks, and keeps its own time.

    A model calls `begin_step` before a training step, `observe` with the loss, adds `penalty` to
    it, and calls `end_step` after the optimizer. The state of a control is weights of the model:
    compiling again, loading weights alone or another optimizer leave it where it was.

    Args:
        granularity: What one gate switches: "links", from an input to an output channel;
            "weights", each by itself; "channels", all links of an output channel. `sparsify` makes
            layers of it; a model of other ones refuses the control.

    Attributes:
        n_steps: Integer variable, updates of the model that the control has seen.
        begun: Variable, 1 once gates have begun to learn.
        last_step: Steps that a run must have to go through all phases; 0 without phases.
        learned: Whether gates of this control learn; else it sets the masks of `gates.Pruned`.
    """

    learned: ClassVar[bool] = True
    last_step: int = 0

    def __init__(self, granularity: str = "links", **kwargs: Any):
        super().__init__(**kwargs)
        check_choice("granularity", granularity, GRANULARITIES)
        self.granularity = granularity

    def build(self, input_shape: Any = None) -> None:
        """Creates the control's variables; the shapes of all masks are given to subclasses."""
        self.n_steps = self.add_state("n_steps", dtype="int32")
        self.begun = self.add_state("begun")

    def add_state(
        self,
        name: str,
        initial: float = 0.0,
        dtype: str = "float32",
        shape: tuple[int, ...] = (),
    ) -> Any:
        """A variable that is not trained, the same on all replicas; a scalar, without a shape."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=lambda shape, dtype=None: ops.full(shape, initial, dtype),
            trainable=False,
            aggregation="only_first_replica",
        )

    def default_gate(self) -> str | gates.Gate:
        """What `sparsify` gives to layers where no gate is asked for."""
        return "hard_concrete"

    @abc.abstractmethod
    def learning(self, step: Any) -> Any:
        """1.0 where gates learn at `step`, else 0.0."""

    @abc.abstractmethod
    def progress(self, step: Any) -> Any:
        """Share of the learning phase that is over at `step`, in [0, 1]."""

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """What the present step adds to the loss, a scalar in nats per observation."""
        del layers  # for controls with a price
        return ops.zeros((), "float32")

    def observe(self, loss: Any, layers: Sequence[GatedLayer]) -> None:
        """Called in each training step with its loss, without the penalty, a scalar in nats."""
        del loss, layers  # for controls that steer by them

    def logs(self, step: Any) -> dict[str, Any]:
        """Scalars of the control at `step`, by the name under which `fit` logs them."""
        return {"learning": self.learning(step)}

    def take(self, layers: Sequence[GatedLayer]) -> None:
        """Called when the control is given to a model: new layers start as its phase wants them.

        Raises:
            ValueError: if the control already belongs to other layers, or cannot act on these.
        """
        taken = [weakref.ref(layer) for layer in layers]  # an address may be taken again
        if getattr(self, "_taken", taken) != taken:
            raise ValueError(
                "`control` must belong to one model, as it keeps that model's time. Make another: "
                f"type(control).from_config(control.get_config()). Received: {self.name!r}"
            )
        self.check_layers(layers)
        self.__dict__["_taken"] = taken  # of no refused attempt
        if not self.built:
            self.build([layer.gate.mask_shape for layer in layers])
        if float(ops.convert_to_numpy(self.learning(ops.convert_to_tensor(self.n_steps)))) < 0.5:
            for layer in layers:
                layer.hold()

    def check_layers(self, layers: Sequence[GatedLayer]) -> None:
        """Refuses layers that this control cannot act on.

        Raises:
            ValueError: if there are none, or none has a gate of the right kind, or gates of none
                switch what the control says.
        """
        kind = type(self).__name__
        if not layers:
            raise ValueError(
                f"`control` must be given to a model with gated layers, as sparsify(model, "
                f"control=...) makes one. Received: {kind} for a model without any"
            )
        if self.learned and not any(layer.gate.learns for layer in layers):
            found = sorted({type(layer.gate).__name__ for layer in layers})
            raise ValueError(
                f"`control` {kind} needs gates that learn. Received: {' and '.join(found)} only"
            )
        others = [layer for layer in layers if not isinstance(layer.gate, gates.Pruned)]
        if not self.learned and others:
            other = others[0]
            raise ValueError(
                f"`control` {kind} sets masks itself and needs gate=sparsevae.gates.Pruned() in "
                f"every gated layer. Received: {type(other.gate).__name__} in {other.name!r}"
            )
        if self.granularity not in (found := [layer.granularity for layer in layers]):
            raise ValueError(
                "`granularity` of the control must be that of a gated layer, whose gates it acts "
                f"on. Received: granularity={self.granularity!r}, and {found[0]!r} in "
                f"{layers[0].name!r}"
            )

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

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer | None = None
    ) -> None:
        """Called after the optimizer.

        Args:
            layers: As for `begin_step`.
            updated: Scalar, 1 if the weights were updated, 0 if gradients were only accumulated
                or had overflowed.
            optimizer: That made the update; None where nothing of it is asked for.
        """
        del layers, optimizer  # for controls that look at them
        self.n_steps.assign_add(ops.cast(updated, "int32"))

    def get_config(self) -> dict:
        return {**super().get_config(), "granularity": self.granularity}


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
