"""An exported model as an object: a scikit-learn transformer from images to codes."""

import os
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm import tqdm

from sparsevae.checks import check_integer
from sparsevae.data.images import as_float32
from sparsevae.export.folder import read_card
from sparsevae.export.inputs import batches
from sparsevae.export.runtimes import SavedModel


class Encoder(TransformerMixin, BaseEstimator):
    """A folder of `export.save`: images to codes and back, in batches.

    A scikit-learn transformer that is fitted already: `transform` works at once, `fit` returns it
    as it is, clones share the loaded model, and a pickle holds the path of the folder. The folder
    is checked and loaded at first use; `export.load` does so at once.

    Args:
        folder: Folder of the export.
        batch_size: Images per call of the model.
    """

    def __init__(self, folder: str | Path, batch_size: int = 512):
        self.folder = folder
        self.batch_size = batch_size

    @property
    def folder(self) -> str | Path:
        """As given; a relative path means the working folder of the moment when it was given."""
        return self._given

    @folder.setter
    def folder(self, folder):
        self._given = folder
        path = isinstance(folder, (str, os.PathLike))  # anything may be set; loading refuses it
        self._place = os.path.abspath(folder) if path else folder

    @property
    def card(self) -> dict:
        """Data, settings, scores, density, sizes, input contract."""
        return self._opened()[1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return tuple(self.card["input"]["shape"][1:])

    @property
    def latent_dim(self) -> int:
        """Number of latents."""
        return self.card["output"]["codes"][1]

    def fit(self, X=None, y=None) -> "Encoder":
        """Itself: the model has been trained. Checks and loads the folder; `X` is not looked at."""
        self._opened()
        return self

    def transform(self, X) -> np.ndarray:
        """Codes (posterior means), float32 `(n, latent_dim)`, or what `set_output` asks for.

        Args:
            X: Images `(n, height, width, channels)`, uint8 or floats in [0, 1]; a
                `tf.data.Dataset` of such batches, alone or with labels; or the path of a folder of
                image files of this size, taken in sorted order.

        Raises:
            FileNotFoundError: if the folder is absent.
            ValueError: if it holds no images; for another shape, dtype or range.
        """
        return self.encode(X)

    def encode(self, images) -> np.ndarray:
        """As `transform`, and always an array."""
        return self._batched("encode", images, "codes", (self.latent_dim,))

    def reconstruct(self, images) -> np.ndarray:
        """Mean reconstructions, float32 in [0, 1], of images as for `transform`."""
        return self._batched("reconstruct", images, "images", self.image_shape)

    def decode(self, codes) -> np.ndarray:
        """Mean images, float32 in [0, 1], of codes `(n, latent_dim)`.

        Raises:
            ValueError: for another shape.
        """
        codes = np.asarray(codes, dtype=np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ValueError(
                f"`codes` must have the shape (n, {self.latent_dim}). Received: shape {codes.shape}"
            )
        size = self._checked_batch_size()
        parts = (codes[k : k + size] for k in range(0, len(codes), size))
        return self._joined("decode", parts, len(codes), "images", self.image_shape)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the columns of `transform`: latent_0, latent_1, ..."""
        return np.array([f"latent_{k}" for k in range(self.latent_dim)], dtype=object)

    def _batched(self, signature, source, wanted, shape):
        parts, n = batches(source, self.image_shape, self._checked_batch_size())
        return self._joined(signature, map(as_float32, parts), n, wanted, shape)

    def _joined(self, signature, parts, n, wanted, shape):
        model, _ = self._opened()
        outputs = [np.zeros((0, *shape), np.float32)]  # convolutions refuse an empty batch
        with tqdm(total=n, unit=" images", delay=2, leave=False, disable=None) as bar:
            for part in parts:
                if len(part):
                    outputs.append(model.call(signature, part)[wanted])
                bar.update(len(part))
        return np.concatenate(outputs)

    def _checked_batch_size(self):
        return check_integer("batch_size", self.batch_size, minimum=1)

    def _opened(self):
        """Model and card of `folder`; kept until `set_params` names another one."""
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] != self._place:
            card = read_card(self._place)
            self._kept = kept = (self._place, SavedModel(Path(self._place)).load(), card)
        return kept[1:]

    # What scikit-learn asks of a transformer

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False  # images have four axes
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __sklearn_clone__(self):
        twin = type(self)(**self.get_params())
        twin.__dict__.update(self.__dict__)
        return twin

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_kept"}


def load(folder: str | Path, batch_size: int = 512) -> Encoder:
    """An exported model; every file is compared with its checksum, no code but graphs is run.

    Args:
        folder: As written by `export.save`.
        batch_size: Images per call of the model.

    Raises:
        FileNotFoundError: if the folder is not an export, or a part of it is missing.
        ValueError: if a file was changed, or a later format is met.
    """
    return Encoder(folder, batch_size).fit()
