"""Export: a trained model as a folder that needs TensorFlow only.

In: a `SparseVAE`, or such a folder. Out: SavedModel with its card; an `Encoder` of arrays.
May import TensorFlow, keras, and the rooms below.
"""

from sparsevae.export.encoder import Encoder, load
from sparsevae.export.save import save

__all__ = ["Encoder", "load", "save"]
