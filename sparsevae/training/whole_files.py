"""Files of a model that hold all that its training depends on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from sparsevae.training.wrapping import inner

_TRAINED = "variables_of_optimizer"
_SEEDS = "seed_"  # what keys of seeds in a file begin with


class WholeFiles:
    """Adds what Keras leaves out of its files, and refuses those that it writes in vain.

    To be inherited before `keras.Model`. Keras saves no state of a `SeedGenerator`, as of Dropout
    or of an objective: here it is among the model's own variables.
    """

    def regrouped(self, optimizer: Any) -> keras.optimizers.Optimizer:
        """The optimizer as `compile` makes it of the one given."""
        raise NotImplementedError

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
            config["optimizer"] = self.regrouped(config["optimizer"])
            config["optimizer"].build(trained)
        self.compile(**config)

    def save_own_variables(self, store: dict) -> None:
        """As Keras, and the state of all seeds."""
        super().save_own_variables(store)
        for number, state in enumerate(self._seed_states()):
            store[f"{_SEEDS}{number}"] = state.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As Keras, and the state of all seeds."""
        keys = list(store.keys())
        super().load_own_variables({k: store[k] for k in keys if not k.startswith(_SEEDS)})
        for number, state in enumerate(self._seed_states()):
            if (key := f"{_SEEDS}{number}") in keys:  # not in files of before
                state.assign(store[key])

    def _seed_states(self):
        """State of every `SeedGenerator` of the model, in the order of its layers."""
        own = {id(v) for v in (*self.weights, *self.metrics_variables)}
        return [variable for variable in self.variables if id(variable) not in own]
