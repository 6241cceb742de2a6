"""The narrower model."""

import keras

from sparsevae.sparsity.compaction.planning import Plan
from sparsevae.sparsity.copying import copied, copy_state
from sparsevae.sparsity.liveness.graph import Node, called, function_of
from sparsevae.sparsity.liveness.pattern import along
from sparsevae.sparsity.liveness.rule import Kept


def build(model: keras.Model, plan: Plan) -> keras.Model:
    """A functional model of what stays of `model`, nested models unrolled."""
    builder = _Builder(plan)
    given = [
        _input(x, plan.kept[number])
        for x, number in zip(model.inputs, plan.graph.inputs, strict=True)
    ]
    tensors = dict(zip(plan.graph.inputs, given, strict=True))
    for node in plan.graph.nodes:
        made = called(node, builder.layer(node), tensors)
        builder.fill(node)
        tensors.update(zip(node.outputs, made, strict=True))
    function = function_of(model)
    outputs = [
        builder.named(tensors[number], name)
        for number, name in zip(plan.graph.outputs, function.output_names, strict=True)
    ]
    return keras.Model(
        keras.tree.pack_sequence_as(function._inputs_struct, given),
        keras.tree.pack_sequence_as(function._outputs_struct, outputs),
        name=model.name,
    )


def _input(x, kept):
    """An input like x, without what is removed."""
    settings = x._keras_history.operation.get_config()  # as whether it is optional
    return keras.Input(**{**settings, "batch_shape": (x.shape[0], *_shape(x, kept))})


def _shape(x, kept):
    """Shape of an input without what is removed."""
    sizes = enumerate(x.shape[1:])
    return [size if size is None else int(along(kept, k, size).sum()) for k, size in sizes]


class _Builder:
    """Makes each layer once, however often it is called."""

    def __init__(self, plan: Plan):
        self.plan, self.made, self.filled, self.names = plan, {}, set(), set()

    def layer(self, node: Node):
        """The layer, or operation, that takes the place of a node's."""
        old = node.call.layer
        if id(old) not in self.made:
            settings = node.rule.settings(node.call, self._kept(node))
            if isinstance(old, keras.layers.Layer):
                settings["name"] = self._name(old.name)
            self.made[id(old)] = copied(old, **settings)
        return self.made[id(old)]

    def fill(self, node: Node) -> None:
        """Gives the layer, now built, its weights."""
        old = node.call.layer
        if id(old) in self.filled or not isinstance(old, keras.layers.Layer):
            return
        self.filled.add(id(old))
        new = self.made[id(old)]
        if node.rule.sized:
            new.set_weights(node.rule.weights(node.call, self._kept(node)))
            return
        copy_state(old, new)

    def named(self, tensor, name: str):
        """An output under the name of a nested model that it came from, if it did."""
        if tensor._keras_history.operation.name == name or name in self.names:
            return tensor
        return keras.layers.Identity(name=self._name(name))(tensor)

    def _kept(self, node):
        kept = self.plan.kept
        inputs, outputs = (tuple(kept[n] for n in side) for side in (node.inputs, node.outputs))
        key = id(node.call.layer)
        return Kept(inputs, outputs, self.plan.constants.get(key), self.plan.shares.get(key))

    def _name(self, name):
        """The name, or another where models nested in the model have it too."""
        found, k = name, 0
        while found in self.names:
            found, k = f"{name}_{k + 1}", k + 1
        self.names.add(found)
        return found
