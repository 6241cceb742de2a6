"""Another layer like one that a model has, with all its state."""

import tempfile
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.liveness.graph import function_of

HALVES = ("float16", "bfloat16")


def inputs_like(model: keras.Model, in_place_of_halves: str | None = None) -> Any:
    """What `keras.models.clone_model` takes as `input_tensors`, to keep all there is of inputs.

    None for a Sequential model that keeps its dtype: Keras forgets whether its input is sparse.

    Args:
        model: Functional or built Sequential model.
        in_place_of_halves: Dtype of inputs that have half precision; None keeps it.
    """
    if not isinstance(model, keras.Function) and in_place_of_halves is None:
        return None

    def made(x):
        source = x._keras_history.operation
        settings = source.get_config() if isinstance(source, keras.layers.InputLayer) else {}
        dtype = in_place_of_halves if in_place_of_halves and x.dtype in HALVES else x.dtype
        known = {"batch_shape": x.shape, "dtype": dtype, "name": x.name}
        return keras.Input(**{**settings, **known})

    return keras.tree.map_structure(made, function_of(model)._inputs_struct)


def copied(layer: Any, /, **settings: Any) -> Any:
    """A new layer, or operation, of the same config but for `settings`; weights are its own.

    Args:
        layer: Of a functional model.
        settings: What differs in its config.

    Raises:
        ValueError: if its `get_config` and `from_config` do not make another one.
    """
    kind, name = type(layer), settings.pop("name", layer.name)
    try:
        config = {**layer.get_config(), **settings}
        new = kind.from_config(config | ({"name": name} if "name" in config else {}))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        what = "Layer" if isinstance(layer, keras.layers.Layer) else "Operation"
        raise ValueError(
            f"{what} {layer.name!r} cannot be copied, as its `get_config` and `from_config` do "
            f"not make another {kind.__name__}: {reason}"
        ) from error
    new.name = name  # which configs that Keras makes by itself leave out
    return new


def copy_state(old: keras.layers.Layer, new: keras.layers.Layer) -> None:
    """Gives a layer all that another one knows: weights, states of seeds, statistics, tables.

    Args:
        old: Built layer; left as it is.
        new: Built layer, of `copied(old)`.
    """
    for one, other in zip(old._flatten_layers(), new._flatten_layers(), strict=True):
        _pass_on(one, other)
    _assign(old.variables, new.variables)


def _pass_on(old, new):
    """What a layer makes of its file beyond variables, as `Normalization` and lookups do."""
    if type(old).load_own_variables is not keras.layers.Layer.load_own_variables:
        store: dict[str, Any] = {}
        old.save_own_variables(store)
        new.load_own_variables({key: _array(value) for key, value in store.items()})
    if getattr(old, "stateful", False):  # of these states no list of variables knows
        _assign(keras.tree.flatten(old.states), keras.tree.flatten(new.states))
    if hasattr(old, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)


def _assign(sources, targets):
    for source, target in zip(sources, targets, strict=True):
        target.assign(ops.cast(ops.copy(source), target.dtype))  # JAX would share the array


def _array(value):
    return np.array(ops.convert_to_numpy(value))
