"""An exported model, loaded with TensorFlow alone."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from sparsevae.models.images import check_images, to_float
from sparsevae.records import read_json


class Encoder:
    """A folder of `export.save`: images to codes and back, in batches.

    Attributes:
        card: Dict: data, settings, scores, density, sizes, input contract.
        image_shape: `(height, width, channels)`.
        latent_dim: Number of latents.
    """

    def __init__(self, folder: Path):
        self.card = read_json(folder / "card.json")
        self.image_shape = tuple(self.card["input"]["shape"][1:])
        self.latent_dim = self.card["output"]["codes"][1]
        self._model = tf.saved_model.load(str(folder))

    def encode(self, images, batch_size: int = 512) -> np.ndarray:
        """Codes (posterior means), float32 `(n, latent_dim)`.

        Args:
            images: `(n, height, width, channels)`, uint8 or floats in [0, 1].
            batch_size: Images per call.

        Raises:
            ValueError: for another shape, dtype or range.
        """
        images = check_images(images, self.image_shape)
        return self._batched("encode", "images", images, "codes", batch_size)

    transform = encode

    def decode(self, codes, batch_size: int = 512) -> np.ndarray:
        """Mean images, float32 in [0, 1], of codes `(n, latent_dim)`.

        Raises:
            ValueError: for another shape.
        """
        codes = np.asarray(codes, dtype=np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"`codes` must have the shape (n, {self.latent_dim}). Received: shape {codes.shape}"
            )
        return self._batched("decode", "codes", codes, "images", batch_size)

    def reconstruct(self, images, batch_size: int = 512) -> np.ndarray:
        """Mean reconstructions, float32 in [0, 1], of images as for `encode`."""
        images = check_images(images, self.image_shape)
        return self._batched("reconstruct", "images", images, "images", batch_size)

    def _batched(self, signature, given, array, wanted, batch_size):
        call = self._model.signatures[signature]
        starts = range(0, len(array), batch_size)
        parts = [call(**{given: to_float(array[k : k + batch_size])})[wanted] for k in starts]
        shape = (self.latent_dim,) if wanted == "codes" else self.image_shape
        empty = np.zeros((0, *shape), np.float32)  # convolutions refuse an empty batch
        return np.concatenate([empty, *(part.numpy() for part in parts)])


def load(folder: str | Path) -> Encoder:
    """An exported model; runs no code but TensorFlow's graph.

    Raises:
        FileNotFoundError: if the folder is not an export, or a part of it is missing.
        ValueError: if a file is damaged.
    """
    folder = Path(folder)
    for name in ("card.json", "saved_model.pb", "variables/variables.index"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} is not an exported model: {name} is missing. "
                "Exports are made by sparsevae.export.save or scripts/export.py"
            )
    try:
        return Encoder(folder)
    except (OSError, tf.errors.OpError) as error:
        raise ValueError(f"{folder} is damaged; export the model again ({error})") from error
