"""Files of a VAE."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras

from sparsevae.training import WholeFiles


class VAEFiles(WholeFiles):
    """What files of a VAE have beside those of any model; to be inherited before `keras.Model`."""

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.export`: from float images to mean reconstructions.

        `sparsevae.export.save` writes encoder and decoder by themselves, with a card.
        """
        if input_signature is None:
            input_signature = [keras.InputSpec(shape=(None, *self.image_shape), dtype="float32")]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As Keras; a file of before the model counted leaves the counts at 0, and says so."""
        if store.keys():
            super().load_own_variables(store)
            return
        warnings.warn(
            "This file is of an earlier version of sparsevae: weights and gates are restored, "
            "the number of steps is not, so that training on begins the control's phases anew",
            stacklevel=2,
        )
