"""`Embedding`: an integer becomes a vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, along
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Embedded(Rule):
    """All entries of a vector depend on its integer."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0][..., np.newaxis]]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [outputs[0].any(axis=-1)]

    sized = True

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        layer = call.layer
        if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
            return super().labels(call, inputs, labels)
        labels.pin(inputs[0])
        return [labels.fresh((*(1,) * inputs[0].ndim, layer.output_dim))]

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        return {"output_dim": int(self._stay(call, kept).sum())}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        return [weight[:, self._stay(call, kept)] for weight in call.layer.get_weights()]

    def _stay(self, call, kept):
        return along(kept.outputs[0], -1, call.layer.output_dim)


register(layers.Embedding, Embedded())
