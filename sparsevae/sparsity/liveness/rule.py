"""What a rule of liveness is, and which layer has which."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from sparsevae.sparsity.liveness.pattern import Pattern, Shape, anywhere


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


class Unknown(Rule):
    """Everything depends on everything: for layers of which nothing is known."""

    several_inputs = True

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return anywhere(inputs, call.output_shapes)

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
    if not callable(kind):
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
    return _RULES[layer] if layer in _RULES else rule_of_class(type(layer))


def rule_of_class(kind: type) -> Rule:
    """The rule registered for a class or, where it computes as its parent does, for the parent."""
    for place, parent in enumerate(kind.__mro__):
        if parent in _RULES and not _changed(kind.__mro__[:place], parent):
            return _RULES[parent]
    return UNKNOWN


def _changed(children, parent):
    """Members of `parent` that its children define anew, save those that compute nothing."""
    named = {name for child in children for name in vars(child) if hasattr(parent, name)}
    return {name for name in named if not name.startswith("__")} - {"build", "get_config"}
