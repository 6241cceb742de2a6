"""The trainings of one seed, each kept in a folder of its own."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae import records
from sparsevae.sparsity.controlled import Controlled
from sparsevae.sparsity.fixed_mask import FixedMask
from sparsevae.sparsity.pruned_masks import gate_masks, pruned_layers, set_gate_masks
from sparsevae.sparsity.pruning import magnitudes
from sparsevae.sparsity.sparsification import sparsify
from sparsevae.sparsity.tickets.new_masks import Masks, density

COLUMNS = ("seed", "round", "kind", "density")
WEIGHTS = "model.weights.h5"
_OTHER = 1_000_003  # between the seeds of a start and of its reinitialization


@dataclasses.dataclass(frozen=True)
class Replicate:
    """One seed of a search; see `find` for the fields.

    In `folder`: `start/` and `other_start/` hold the weights that trainings begin with, `round_NN/
    KIND/` weights, `masks.npz` and `result.json` of each training.
    """

    make: Callable[[int], keras.Model]
    train: Callable[[Any, int], Mapping[str, float]]
    early: Callable[[Any, int], Any] | None
    granularity: str
    folder: Path
    seed: int

    def open_masks(self) -> Masks:
        """Of the model before any round."""
        return _numbered(gate_masks(self._made("start")).values())

    def sizes(self, n_round: int) -> Masks:
        """Of the weights behind each gate after the ticket of a round was trained, by layer."""
        model = self._made("start")
        model.load_weights(self._path(n_round, "ticket") / WEIGHTS)
        layers = pruned_layers(model)
        return _numbered(ops.convert_to_numpy(magnitudes(layer)) for layer in layers)

    def result(self, n_round: int, kind: str, masks: Masks, start: str = "start") -> dict:
        """Of training from a start under masks; read where it is in the folder already."""
        path = self._path(n_round, kind)
        if not path.exists():
            model = self._begun(start)
            set_gate_masks(model, dict(zip(gate_masks(model), masks.values(), strict=True)))
            found = _checked(self.train(model, self.seed))
            about = zip(COLUMNS, (self.seed, n_round, kind, density(masks)), strict=True)
            with records.atomic_folder(path) as new:
                model.save_weights(new / WEIGHTS)
                np.savez_compressed(new / "masks.npz", **masks)
                records.write_json(new / "result.json", {**dict(about), **found})
        return records.read_json(path / "result.json")

    def _path(self, n_round, kind):
        return self.folder / f"round_{n_round:02d}" / kind

    def _made(self, start):
        model = self.make(self.seed if start == "start" else self.seed + _OTHER)
        if isinstance(model, Controlled):
            return model
        return sparsify(model, control=FixedMask(granularity=self.granularity))

    def _begun(self, start):
        """A fresh model with the weights of a start, which is made if it is not there yet."""
        path = self.folder / start
        if not path.exists():
            first = self._made(start)
            if self.early is not None:
                self.early(first, self.seed)
            with records.atomic_folder(path) as new:
                first.save_weights(new / WEIGHTS)
        model = self._made(start)
        model.load_weights(path / WEIGHTS)
        return model


def _numbered(values):
    """By layer. Of its own name nothing is known: Keras gives another to each that is made."""
    return {f"layer_{number}": value for number, value in enumerate(values)}


def _checked(result):
    """A dict of numbers, as of `train`."""
    named = isinstance(result, Mapping) and result and all(isinstance(key, str) for key in result)
    if not named or set(result) & set(COLUMNS):
        raise TypeError(
            "`train` must return a dict of numbers by name, other names than "
            f"{', '.join(COLUMNS)}. Received: {result!r}"
        )
    return {key: float(value) for key, value in result.items()}
