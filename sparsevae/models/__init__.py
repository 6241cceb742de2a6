"""The model: `SparseVAE` with its training step, standard builders, callbacks.

In: images (uint8, or floats in [0, 1]). Out: trained Keras models, codes, TFP distributions.
May import keras, TensorFlow, and the rooms below (`objectives`, `sparsity`, ..., `records`).
"""

from sparsevae import gates, layers  # noqa: F401  registers all classes that files may name
from sparsevae.models.builders import conv_vae, mlp_vae, sparse_decoding_vae
from sparsevae.models.disentanglement_scores import DisentanglementScores
from sparsevae.models.sparse_vae import SparseVAE

__all__ = ["DisentanglementScores", "SparseVAE", "conv_vae", "mlp_vae", "sparse_decoding_vae"]
