"""The functional model that `sparsify` makes."""

from typing import Any

import keras

from sparsevae.sparsity.controlled import Controlled


@keras.saving.register_keras_serializable("sparsevae")
class SparseModel(Controlled, keras.Model):
    """A functional Keras model whose gated layers are under a control; see `Controlled`.

    Everything of `keras.Model` works: `compile`, `fit`, `save`, `get_layer`, `clone_model` (which
    copies layers and no control).

    Args:
        inputs, outputs, name: As for `keras.Model(inputs, outputs)`.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.control = None

    def get_config(self) -> dict:
        control = keras.saving.serialize_keras_object(self.control)
        return {**super().get_config(), "control": control}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "SparseModel":
        config = dict(config)
        control = config.pop("control")
        model = super().from_config(config, custom_objects)
        model.control = keras.saving.deserialize_keras_object(control, custom_objects)
        return model
