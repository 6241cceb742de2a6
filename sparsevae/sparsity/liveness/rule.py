"""What a rule of liveness is, and which layer has which."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, Shape, alike, anywhere


@dataclasses.dataclass(frozen=True)
class Call:
    """One use of a layer in a model.

    Attributes:
        layer: Keras layer or operation, or the function given as an `activation`.
        input_shapes, output_shapes: Without the batch axis; None where a size is free.
    """

    layer: Any
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]


@dataclasses.dataclass(frozen=True)
class Kept:
    """What stays of a call's tensors: patterns, one for each."""

    inputs: tuple[Pattern, ...]
    outputs: tuple[Pattern, ...]
    constants: np.ndarray | None = None
    """What removed inputs add to each output channel, if that is not 0."""
    shares: np.ndarray | None = None
    """`(in_channels, in_channels)`: how much of an input's weights another one takes over."""


class Rule(abc.ABC):
    """How one kind of layer passes on what is live. Patterns are explained in `pattern`.

    Both answers must be on the safe side: an entry may be called live that is not.
    """

    several_inputs = False  # whether the rule knows calls with other than one input

    @abc.abstractmethod
    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        """For each output, entries that depend on an entry of `inputs` that varies."""

    @abc.abstractmethod
    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        """For each input, entries on which a needed entry of `outputs` depends."""

    def multiplications(self, call: Call) -> int | None:
        """By a kernel, for one observation; None where a size is unknown, 0 without a kernel."""
        return 0

    # Making the layer narrower: see the folder `compaction`

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        """Labels of each output, given those of the inputs; ties and pins what has to be.

        Here: nothing of the inputs and outputs is removed.
        """
        for given in inputs:
            labels.pin(given)
        return [labels.pinned(shape) for shape in call.output_shapes]

    sized = False  # whether the layer itself, its settings or weights, has its channels' number

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        """What changes in the layer's config."""
        del call, kept  # for layers that have a size
        return {}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        """The layer's weights without what is removed, in its own order."""
        del kept
        return call.layer.get_weights()

    def for_layer(self, layer: Any) -> "Rule":
        """The rule for this very layer, where layers of one class differ."""
        del layer
        return self


class Unknown(Rule):
    """Everything depends on everything, and may be random: for layers of which nothing is known."""

    several_inputs = True

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        del inputs
        return [alike(True, shape) for shape in call.output_shapes]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return anywhere(outputs, call.input_shapes)

    def multiplications(self, call: Call) -> int | None:
        return None if getattr(call.layer, "weights", ()) else 0


UNKNOWN = Unknown()
_RULES: dict[Any, Rule] = {}


def register(kind: type | Callable, rule: Rule) -> None:
    """Says by which rule a class of layers, or a function used as an activation, passes things on.

    A subclass has its parent's rule too, unless it defines more anew than how it is made.

    Args:
        kind: Subclass of `keras.layers.Layer`, or a function of one tensor.
        rule: A `Rule`, for instance `Elementwise()`.

    Raises:
        TypeError: if `kind` is no class or function, or `rule` is no rule.
    """
    layers = isinstance(kind, type) and issubclass(kind, keras.Operation)
    function = callable(kind) and not isinstance(kind, (type, keras.Operation))
    if not layers and not function:
        raise TypeError(
            f"`kind` must be a class of layers or an activation function. Received: kind={kind!r}"
        )
    if not isinstance(rule, Rule):
        raise TypeError(
            "`rule` must be a liveness.Rule, such as liveness.Elementwise(). "
            f"Received: rule={rule!r}"
        )
    _RULES[kind] = rule


def rule_of(layer: Any) -> Rule:
    """The rule registered for a layer, an operation or an activation; else `UNKNOWN`."""
    rule = _RULES[layer] if layer in _RULES else rule_of_class(type(layer))
    return rule.for_layer(layer)


def rule_of_class(kind: type) -> Rule:
    """The rule registered for a class or, where it computes as its parent does, for the parent."""
    for place, parent in enumerate(kind.__mro__):
        if parent in _RULES and not _changed(kind.__mro__[:place], parent):
            return _RULES[parent]
    return UNKNOWN


def _changed(children, parent):
    """Members of `parent` that its children define anew, save those that compute nothing."""
    named = {name for child in children for name in vars(child) if hasattr(parent, name)}
    computing = {name for name in named if not name.startswith("__") or name == "__call__"}
    return computing - {"build", "get_config"}
