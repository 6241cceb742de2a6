"""Keras's entry points for models of images, each with the same check of what it is given."""

from sparsevae.checks import check_integer
from sparsevae.models.fields import Contract
from sparsevae.models.inputs import (
    batch_of,
    checked_batch,
    checked_source,
    checked_validation,
    may_shuffle,
)
from sparsevae.models.sources import one_line_errors


def _checked(batch_size):
    return None if batch_size is None else check_integer("batch_size", batch_size, minimum=1)


class CheckedInputs:
    """Checks what `fit`, `evaluate`, `predict` and the methods for one batch are given.

    To be inherited before `keras.Model`, by models that read their data by `batch_of`. All
    methods take what those of Keras take; see `inputs.checked_source` for the data.

    Attributes:
        image_shape: `(height, width, channels)`.
        uses: Names of `FIELDS` beside "images" that the objective consumes.
        needs: Those of `uses` that training and evaluation cannot do without.
        needs_to_train: Those that training alone cannot do without.
        objective_name: For messages.
    """

    image_shape: tuple[int | None, ...]
    uses: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    needs_to_train: frozenset[str] = frozenset()
    objective_name: str = "the objective"

    def _contract(self, needs=frozenset()):
        return Contract(self.image_shape, frozenset(self.uses), self.objective_name, needs)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=None,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """`keras.Model.fit`; `shuffle=None` shuffles arrays and PyDatasets of known length.

        Raises:
            ValueError, TypeError: one line, before a step is made on bad data.
        """
        batch_size = _checked(batch_size)
        contract = self._contract(self.needs | self.needs_to_train)
        x = checked_source(x, y, sample_weight, class_weight, contract=contract)
        if validation_data is not None:
            validation_data = checked_validation(validation_data, self._contract(self.needs))
        with one_line_errors(self.image_shape):
            return super().fit(
                x,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=may_shuffle(x) if shuffle is None else shuffle,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """`keras.Model.evaluate`.

        Raises:
            ValueError, TypeError: one line, before a step is made on bad data.
        """
        batch_size = _checked(batch_size)
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has checked its validation data
            contract = self._contract(self.needs)
            x, y, sample_weight = checked_source(x, y, sample_weight, contract=contract), None, None
        with one_line_errors(self.image_shape):
            return super().evaluate(
                x,
                y,
                batch_size=batch_size,
                verbose=verbose,
                sample_weight=sample_weight,
                steps=steps,
                callbacks=callbacks,
                return_dict=return_dict,
                **kwargs,
            )

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """`keras.Model.predict`, of the images in `x`; what training uses may be beside them.

        Raises:
            ValueError, TypeError: one line, before a step is made on bad data.
        """
        batch_size = _checked(batch_size)
        x = checked_source(x, contract=self._contract())
        with one_line_errors(self.image_shape):
            return super().predict(
                x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks
            )

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """`keras.Model.train_on_batch`.

        Raises:
            ValueError, TypeError: one line, before a step is made on bad data.
        """
        contract = self._contract(self.needs | self.needs_to_train)
        x = checked_batch(x, y, sample_weight, class_weight, contract=contract)
        return super().train_on_batch(x, return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """`keras.Model.test_on_batch`.

        Raises:
            ValueError, TypeError: one line, before a step is made on bad data.
        """
        x = checked_batch(x, y, sample_weight, contract=self._contract(self.needs))
        return super().test_on_batch(x, return_dict=return_dict)

    def predict_on_batch(self, x):
        """`keras.Model.predict_on_batch`, of the images in `x`.

        Raises:
            ValueError, TypeError: one line.
        """
        return super().predict_on_batch(checked_batch(x, contract=self._contract()))

    def predict_step(self, data):
        """What the model makes of the images of a batch."""
        return self(batch_of(data, frozenset(self.uses)).images, training=False)
