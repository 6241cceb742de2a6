"""How a control acts in the training step of any Keras model, on any backend."""

from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.gates.gate import GROUP
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.control import check_control
from sparsevae.sparsity.links import gated_layers
from sparsevae.sparsity.logs import GateLogs, logs_of_gates
from sparsevae.training import (
    Group,
    GroupedOptimizer,
    Part,
    Retraces,
    Retracing,
    WholeFiles,
    around,
    inner,
    when,
    with_groups,
)


class Controlled(Retracing, WholeFiles):
    """Adds a control to a Keras model; plain `fit` lets it act. To be inherited before `Model`.

    A model sets `self.control`, a `Control` or None, once its gated layers are built; it may be
    replaced at any time. The control is a tracked layer: its state is in all files of the model.
    `compile` makes gates a group of the optimizer that starts when the control lets them learn.
    `fit` logs the loss with the control's penalty in it, and after each epoch what `gate_logs`
    gives. `evaluate` gives the loss alone, with the gates of the test rule.

    In a training loop of one's own: `compile`, and each step `begin_step()`, the loss of
    `compute_loss`, `self.optimizer`, `end_step(1.0)`; on JAX each of them inside a
    `keras.StatelessScope`. As a part of another model, which trains it, its control does not act:
    make that one sparse.
    """

    @property
    def gated_layers(self) -> list[GatedLayer]:
        """Layers that hold a gate, nested ones too, each once."""
        return gated_layers(self)

    @property
    def parts(self) -> list[Part]:
        return [] if self.control is None else [self.control]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "control":
            value = self._ready(value)
            if (old := getattr(self, "control", None)) is not None and old is not value:
                self._tracker.untrack(old)
        super().__setattr__(name, value)

    def _ready(self, control):
        """The control, built for this model's gates, which it holds open if it begins so."""
        if control is None:
            if getattr(self, "control", None) is not None:  # gates are left alone from here on
                for layer in self.gated_layers:
                    layer.release()
            return None
        check_control(control)
        control.take(self.gated_layers)
        return control

    def compile(self, optimizer: Any = "rmsprop", *args: Any, **kwargs: Any) -> None:
        """`keras.Model.compile`; `self.optimizer` is a `GroupedOptimizer` around the one given.

        The optimizer is built for all weights that are trainable now.
        """
        if self.compiled and optimizer is inner(self.optimizer).base:
            optimizer = self.optimizer  # the same once more: gates keep their moments
        super().compile(self.regrouped(optimizer), *args, **kwargs)
        if not self.optimizer.built:  # a LossScaleOptimizer would have its state twice
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """`keras.Model.fit`, in which the control acts."""
        if isinstance(callbacks, keras.callbacks.CallbackList):
            for callback in (GateLogs(), Retraces()):
                callbacks.append(callback)
        else:
            given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
            callbacks = [GateLogs(), *(c for c in given if c is not None), Retraces()]
        try:
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs)
        finally:  # Keras tells its callbacks only of a good end
            for callback in getattr(callbacks, "callbacks", callbacks):
                getattr(callback, "on_fit_end", lambda: None)()

    def regrouped(self, optimizer: Any) -> keras.optimizers.Optimizer:
        """The optimizer with a group for gates."""
        return with_groups(optimizer, [Group(GROUP)])

    def known_weights(self) -> list[int]:
        """As of `Retracing`, and that weights and gradients are there which the control needs."""
        known = super().known_weights()
        if self.compiled and self.control is not None:
            for layer in self.gated_layers:
                self._check_frozen(layer)
                self._check_gradient(layer)
        return known

    def _check_frozen(self, layer):
        kernel = layer.switched_weights[0]
        if kernel.trainable or self.control.learned or not self.control.may_change:
            return
        raise ValueError(
            f"`control` {type(self.control).__name__} sets weights to 0 and needs layers that are "
            "trainable: unfreeze them, or leave them out by where= of sparsify. "
            f"Received: {layer.name!r}, which is frozen"
        )

    def _check_gradient(self, layer):
        kernel = layer.switched_weights[0]
        watched = getattr(kernel, "watch_gradient", False)
        if watched and not inner(self.optimizer).keeps_gradient(kernel):
            raise ValueError(
                f"`control` {type(self.control).__name__} needs the gradients of all gated layers: "
                "call `compile` with a new optimizer after the control is set; where layers are "
                "frozen after it has ended, replace it by FixedMask(). "
                f"Received: an optimizer without that of {layer.name!r}"
            )

    # A step

    def begin_step(self) -> None:
        """To be called before each training step: tells gates, and their optimizer, the phase.

        Raises:
            ValueError: if the optimizer is none that `compile` has set.
        """
        optimizer = inner(getattr(self, "optimizer", None))
        if not isinstance(optimizer, GroupedOptimizer):
            raise ValueError(
                "The optimizer must be set by `compile`, which makes gates a group of it; update "
                f"by `model.optimizer`. Received: {optimizer!r} in {self.name!r}"
            )
        learning = 1.0
        if self.control is not None:
            self.control.begin_step(self.gated_layers)
            learning = self.control.learning(ops.convert_to_tensor(self.control.n_steps))
        elif waiting := [layer for layer in self.gated_layers if layer.waits]:
            first = ops.less(waiting[0].gate.begun, 0.5)
            when(first, lambda: [layer.begin(True) for layer in waiting])
        if GROUP in optimizer.groups:
            optimizer.set_active(GROUP, learning)
        for layer in self.gated_layers:
            kernel = layer.switched_weights[0]
            if optimizer.keeps_gradient(kernel):  # the control looks at that of closed links too
                watched = kernel.watch_gradient
                part = layer.kernel_mask(layer.gate.open) if watched else ops.ones((), "float32")
                optimizer.train_only(kernel, part)

    def end_step(self, updated: Any) -> None:
        """To be called after the optimizer.

        Args:
            updated: Scalar, 1 if the weights were updated, 0 if gradients were only accumulated
                or had overflowed.
        """
        if self.control is not None:
            self.control.end_step(self.gated_layers, updated, inner(self.optimizer))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`keras.Model.compute_loss`, and in training the penalty of the control."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training or self.control is None:
            return loss
        self.control.observe(loss, self.gated_layers)
        penalty = self._aggregate_additional_loss(self.control.penalty(self.gated_layers))
        return ops.add(loss, penalty)  # float32 both, or whichever is wider

    def train_step(self, *given: Any) -> Any:
        """`keras.Model.train_step` between `begin_step` and `end_step`."""
        around_step = around(self, given)
        around_step.run(self.begin_step)
        before = around_step.run(self._n_updates)
        with gates.one_step(priced=self.control is not None):
            around_step.step(super().train_step)
        around_step.run(lambda: self.end_step(ops.cast(self._n_updates() - before, "float32")))
        return around_step.result

    def _n_updates(self):
        return ops.copy(ops.convert_to_tensor(self.optimizer.iterations))

    def gate_logs(self) -> dict[str, float]:
        """What `fit` logs of the gates after each epoch: dict of floats, empty without gates."""
        if not self.gated_layers:
            return {}
        logs = logs_of_gates(self, self.control)
        return {name: float(ops.convert_to_numpy(value)) for name, value in logs.items()}
