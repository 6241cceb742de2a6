"""Steps are traced anew when what they were traced with has changed."""

import weakref

import keras

from sparsevae.training.part import Part
from sparsevae.training.wrapping import inner


class Retracing:
    """For models with parts (objective, control) that may be replaced, or changed, any time.

    To be inherited before `keras.Model`. A setting of a part takes effect by itself; whatever
    else of it changes by tracing the steps anew, and what is frozen in the next epoch.
    """

    _traced_parts = _traced_weights = None

    @property
    def parts(self) -> list[Part]:
        """What may be replaced or changed while the model trains."""
        return []

    def refresh(self, parts_only: bool = False) -> None:
        """Makes the functions of training and evaluation anew if they are out of date.

        Args:
            parts_only: Whether to look at the parts only, which is quick.

        Raises:
            ValueError: if there are weights that the optimizer was not built for.
        """
        parts = [(weakref.ref(part), part.n_changes) for part in self.parts]
        weights = self._traced_weights if parts_only else self.known_weights()
        if (parts, weights) == (self._traced_parts, self._traced_weights):
            return
        self._traced_parts, self._traced_weights = parts, weights
        if parts_only:
            self.known_weights()
        if self.train_function is not None:
            super().make_train_function(force=True)
        if self.test_function is not None:
            super().make_test_function(force=True)

    def known_weights(self) -> list[int]:
        """Trainable weights by identity.

        Raises:
            ValueError: if there are some that the optimizer does not know.
        """
        if new := self.unknown_weights():
            raise ValueError(
                "The optimizer must know all trainable weights: call `compile` again after a "
                f"part with weights is replaced, or weights are unfrozen. New: {new[0]}"
                f"{f' and {len(new) - 1} more' if len(new) > 1 else ''}"
            )
        return [id(variable) for variable in self.trainable_variables]

    def unknown_weights(self) -> list[str]:
        """Paths of trainable weights that the optimizer was not built for."""
        if not (self.compiled and self.optimizer.built):
            return []
        known = {id(variable) for variable in inner(self.optimizer)._trainable_variables}
        return [v.path for v in self.trainable_variables if id(v) not in known]

    def make_train_function(self, force: bool = False) -> None:
        self.refresh()
        super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> None:
        self.refresh()
        super().make_test_function(force)


class Retraces(keras.callbacks.Callback):
    """Traces steps anew after other callbacks have changed something; the last of every `fit`."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.model.refresh()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.model.refresh(parts_only=True)
