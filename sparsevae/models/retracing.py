"""Steps are traced anew when what they were traced with has changed."""

from sparsevae.models.grouping import OBJECTIVE, inner


class Retracing:
    """For models with an `objective` and a `control` that may be replaced, or changed, any time.

    To be inherited before `keras.Model`. A setting of a part takes effect by itself; whatever
    else of it changes by tracing the steps anew, and what is frozen in the next epoch.
    """

    _traced_parts = _traced_weights = None

    def refresh(self, parts_only: bool = False) -> None:
        """Makes the functions of training and evaluation anew if they are out of date.

        Args:
            parts_only: Whether to look at objective and control only, which is quick.

        Raises:
            ValueError: if there are weights that the optimizer was not built for.
        """
        given = [part for part in (self.objective, self.control) if part is not None]
        parts = [(id(part), part.n_changes) for part in given]
        weights = self._traced_weights if parts_only else self._known_weights()
        if (parts, weights) == (self._traced_parts, self._traced_weights):
            return
        self._traced_parts, self._traced_weights = parts, weights
        if parts_only:
            self._known_weights()
        self._gate_logs_function = None
        if self.train_function is not None:
            super().make_train_function(force=True)
        if self.test_function is not None:
            super().make_test_function(force=True)

    def _known_weights(self):
        """Trainable weights by identity; all of them the optimizer knows."""
        if new := self.unknown_weights():
            raise ValueError(
                "The optimizer must know all trainable weights: call `compile` again after a "
                f"part with weights is replaced, or weights are unfrozen. New: {new[0]}"
                f"{f' and {len(new) - 1} more' if len(new) > 1 else ''}"
            )
        if self.compiled and self.objective.trainable_variables:
            group = inner(self.optimizer).groups.get(OBJECTIVE)
            if (group and group.optimizer) is not self.objective.optimizer:
                raise ValueError(
                    "`optimizer` of the objective was replaced: call `compile` again. Its "
                    "learning rate may be changed without"
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
