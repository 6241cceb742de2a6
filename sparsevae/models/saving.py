"""Files of a model that hold all that its training depends on."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from sparsevae.models.grouping import grouped, inner

_TRAINED = "variables_of_optimizer"
_SEEDS = "seed_"  # what keys of seeds in a file begin with


class WholeFiles:
    """Adds what Keras leaves out of its files, and refuses those that it writes in vain.

    To be inherited before `keras.Model`. Keras saves no state of a `SeedGenerator`, as of Dropout
    or of an objective: here it is among the model's own variables.
    """

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """`keras.Model.save`, in Keras's own format.

        Raises:
            ValueError: for a legacy HDF5 file, which could not be loaded.
        """
        if Path(filepath).suffix in (".h5", ".hdf5") or kwargs.get("save_format") == "h5":
            raise ValueError(
                "`filepath` must end in .keras: the legacy format .h5 does not know classes of "
                f"other packages. For weights alone there is save_weights. Received: {filepath}"
            )
        super().save(filepath, *args, **kwargs)

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

    def get_compile_config(self) -> dict | None:
        """As Keras, and which variables the optimizer is for: some may be frozen by now."""
        config = super().get_compile_config()
        if config and self.optimizer.built:
            known = {id(variable) for variable in inner(self.optimizer)._trainable_variables}
            config[_TRAINED] = [k for k, v in enumerate(self.variables) if id(v) in known]
        return config

    def compile_from_config(self, config: dict) -> None:
        """Compiles a loaded model as it was; its file restores the optimizer after that."""
        config = keras.saving.deserialize_keras_object(config)
        trained = [self.variables[number] for number in config.pop(_TRAINED, [])]
        if trained:  # before `compile`, which would build it for what is trainable now
            config["optimizer"] = grouped(config["optimizer"], self.objective.optimizer)
            config["optimizer"].build(trained)
        self.compile(**config)

    def save_own_variables(self, store: dict) -> None:
        """As Keras, and the state of all seeds."""
        super().save_own_variables(store)
        for number, state in enumerate(self._seed_states()):
            store[f"{_SEEDS}{number}"] = state.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As Keras; a file of before the model counted leaves the counts at 0, and says so."""
        keys = list(store.keys())
        if not keys:
            warnings.warn(
                "This file is of an earlier version of sparsevae: weights and gates are restored, "
                "the number of steps is not, so that training on begins the control's phases anew",
                stacklevel=2,
            )
            return
        super().load_own_variables({k: store[k] for k in keys if not k.startswith(_SEEDS)})
        for number, state in enumerate(self._seed_states()):
            if (key := f"{_SEEDS}{number}") in keys:  # not in files of before
                state.assign(store[key])

    def _seed_states(self):
        """State of every `SeedGenerator` of the model, in the order of its layers."""
        own = {id(v) for v in (*self.weights, *self.metrics_variables)}
        return [variable for variable in self.variables if id(variable) not in own]
