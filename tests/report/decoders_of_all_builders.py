"""A small VAE of each builder."""

from sparsevae import models

BUILDERS = {
    "conv": lambda **gate: models.conv_vae((16, 32, 3), 4, **gate),
    "mlp": lambda **gate: models.mlp_vae((6, 5, 1), 3, hidden=12, **gate),
    "sparse_decoding": lambda **gate: models.sparse_decoding_vae(
        (4, 5, 1), 3, hidden=8, decoder_hidden=6, **gate
    ),
}
