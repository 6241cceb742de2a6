"""The `activation` of a layer: a function, or a layer, with a rule of its own."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern
from sparsevae.sparsity.liveness.rule import Call, Rule, register, rule_of


def activation_of(layer: Any) -> Any:
    """What `layer` applies to its outputs: a function of one tensor or a layer."""
    return getattr(layer, "activation", None) or keras.activations.linear


def linear(call: Call) -> Call:
    """The second step of a layer that ends in its activation, which keeps the shape."""
    return dataclasses.replace(call, input_shapes=call.output_shapes)


def activated(call: Call, before: Pattern) -> list[Pattern]:
    """What varies after the activation of a call's layer, as `Rule.varying`."""
    step = dataclasses.replace(call, layer=activation_of(call.layer))
    return rule_of(step.layer).varying(step, [before])


def before_activation(call: Call, outputs: Sequence[Pattern]) -> Pattern:
    """What is needed before the activation of a call's layer."""
    step = dataclasses.replace(call, layer=activation_of(call.layer))
    return rule_of(step.layer).needed(step, outputs)[0]


def activated_labels(call: Call, before: LabelPattern, labels: Labels) -> list[LabelPattern]:
    """Labels after the activation of a call's layer."""
    step = dataclasses.replace(call, layer=activation_of(call.layer))
    rule = rule_of(step.layer)
    if rule.sized:  # a layer, such as PReLU, inside of another one, which does not know its size
        return Rule.labels(rule, step, [before], labels)
    return rule.labels(step, [before], labels)


class Activated(Rule):
    """A layer that is its activation."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return activated(call, inputs[0])

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [before_activation(call, outputs)]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        return activated_labels(call, inputs[0], labels)


register(layers.Activation, Activated())
