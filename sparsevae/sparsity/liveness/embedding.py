"""`Embedding`: an integer becomes a vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, along
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Embedded(Rule):
    """All entries of a vector depend on its integer, but those that are the same for all."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0][..., np.newaxis] & self._differing(call.layer)]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [(outputs[0] & self._differing(call.layer)).any(axis=-1)]

    def _differing(self, layer):
        if not (layer.built and _is_plain(layer)):
            return np.True_
        vectors = ops.convert_to_numpy(layer.embeddings)
        return (vectors != vectors[:1]).any(axis=0)

    sized = True

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        layer = call.layer
        if not _is_plain(layer):
            return super().labels(call, inputs, labels)
        labels.pin(inputs[0])
        return [labels.fresh((*(1,) * inputs[0].ndim, layer.output_dim))]

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        return {"output_dim": int(self._stay(call, kept).sum())}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        return [weight[:, self._stay(call, kept)] for weight in call.layer.get_weights()]

    def _stay(self, call, kept):
        return along(kept.outputs[0], -1, call.layer.output_dim)


def _is_plain(layer):
    special = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    return not special


register(layers.Embedding, Embedded())
