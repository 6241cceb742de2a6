"""Which layers of a model are meant: names, glob patterns, types, functions."""

import fnmatch
from collections.abc import Callable, Iterator, Sequence

import keras

from sparsevae.checks import check_choice
from sparsevae.layers import why_not_gated

Where = (
    str
    | type[keras.layers.Layer]
    | Callable[[keras.layers.Layer], bool]
    | Sequence[str | type[keras.layers.Layer]]
    | None
)


def layers_within(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Layers of a functional or Sequential model, of such models in it and of `TimeDistributed`."""
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
        if is_graph(inner):
            yield from layers_within(inner)
        else:
            yield inner


def graphs_within(model: keras.layers.Layer) -> Iterator[keras.Model]:
    """A functional or Sequential model, and all such models in it; nothing for another one."""
    if is_graph(model):
        yield model
        for layer in model.layers:
            inner = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
            yield from graphs_within(inner)


def own_methods(model: keras.Model, names: Sequence[str]) -> list[str]:
    """Those of the methods that a model's class defines anew, so that a copy would lose them."""
    places = {n: getattr(getattr(type(model), n), "__module__", "") for n in names}
    return [n for n, place in places.items() if not place.startswith("keras.")]


def check_calls(model: keras.Model) -> None:
    """Refuses a functional or Sequential model that does not run its graph as it is.

    Raises:
        ValueError: naming it, or a model in it, whose class has a `call` of its own.
    """
    for graph in graphs_within(model):
        if own_methods(graph, ["call"]):
            raise ValueError(
                "`model` must leave `call` to Keras, since only its graph is copied: build it as "
                "keras.Model(inputs, outputs), with layers for what your `call` does. "
                f"Received: {type(graph).__name__} {graph.name!r} with a `call` of its own"
            )


def is_graph(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a functional or Sequential model."""
    return isinstance(layer, (keras.Sequential, keras.src.models.functional.Functional))


def selection(
    layers: Sequence[keras.layers.Layer], where: Where
) -> Callable[[keras.layers.Layer], bool]:
    """Tells whether a layer is meant.

    Args:
        layers: All that may be.
        where: A name, a glob pattern of names, a type, a list of these, a function of the layer,
            or None for all.

    Raises:
        TypeError: if it is none of these.
        ValueError: for a name, pattern or type that no layer has, or only such as can have no gate.
    """
    if where is None:
        return lambda layer: True
    is_layer = isinstance(where, keras.layers.Layer)
    if callable(where) and not isinstance(where, type) and not is_layer:
        return where
    parts = [where] if isinstance(where, (str, type)) else where
    if not isinstance(parts, (list, tuple, set, frozenset)) or not parts:
        raise TypeError(
            "`where` must be a name, a glob pattern, a layer type, a list of these, or a function "
            f"of the layer. Received: where={where.name if is_layer else where!r}"
            f"{', a layer: give its name' if is_layer else ''}"
        )
    meant = set()
    for part in parts:
        found = [layer for layer in layers if _matches(layer, part)]
        if not found:
            _refuse(part, layers)
        _check_gated_class(part, found)
        meant |= {id(layer) for layer in found}
    return lambda layer: id(layer) in meant


def _matches(layer, part):
    if isinstance(part, type):
        return isinstance(layer, part)
    return isinstance(part, str) and (layer.name == part or fnmatch.fnmatchcase(layer.name, part))


def _check_gated_class(part, layers):
    """Refuses a part of `where` that means only layers without a gated class."""
    reasons = [why_not_gated(layer) for layer in layers]
    if all(reasons):
        raise ValueError(
            "`where` must mean a layer that can have gates. "
            f"Received: {_shown(part)!r}, as {layers[0].name!r}: {reasons[0]}"
        )


def _shown(part):
    return part.__name__ if isinstance(part, type) else part


def _refuse(part, layers):
    if isinstance(part, str) and not any(sign in part for sign in "*?["):
        check_choice("where", part, list(dict.fromkeys(layer.name for layer in layers)))
    if not isinstance(part, (str, type)):
        raise TypeError(
            f"`where` must hold names, glob patterns and layer types. Received: {part!r}"
        )
    names = ", ".join(layer.name for layer in layers[:20])
    raise ValueError(
        f"`where` must match a layer, such as {names}. Received: where={_shown(part)!r}"
    )
