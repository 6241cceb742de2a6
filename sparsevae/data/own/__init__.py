"""Anybody's own images, with a table of factors if there is one.

In: a folder, an array, a npy or npz file, "tfds:NAME". Out: `ImageData`. May import: `storage`.
"""

from sparsevae.data.own.loading import TFDS, from_array, is_own, load_own
from sparsevae.data.own.table import Table

__all__ = ["TFDS", "Table", "from_array", "is_own", "load_own"]
