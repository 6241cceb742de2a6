"""The same generative model in rotated latents: what the likelihood cannot see."""

import keras
import numpy as np
import scipy.linalg
from keras import ops

from sparsevae import sparsity
from sparsevae.checks import check_integer
from sparsevae.models.sparse_vae import SparseVAE


def random_rotation(latent_dim: int, angle: float, seed: int = 0) -> np.ndarray:
    """A rotation in random planes, by `angle` in the one that turns most.

    Args:
        latent_dim: At least 2.
        angle: Radians; 0 is the identity.
        seed: Of the planes, which do not depend on the angle.

    Returns:
        float64 `(latent_dim, latent_dim)`, orthogonal with determinant 1.
    """
    check_integer("latent_dim", latent_dim, minimum=2)
    if not np.isfinite(angle):
        raise ValueError(f"`angle` must be a finite number of radians. Received: {angle!r}")
    normal = np.random.default_rng(seed).standard_normal((latent_dim, latent_dim))
    turn = normal - normal.T
    return scipy.linalg.expm(angle * turn / np.linalg.norm(turn, 2))


def rotated(vae: SparseVAE, rotation: np.ndarray) -> SparseVAE:
    """A hardened model whose latents are `rotation @ z`, the rotation folded into two kernels.

    That of the encoder's head of means, and the first one of the decoder. Codes are those of `vae`
    times `rotation.T`, and `decode(z @ rotation.T)` is what `decode(z)` was, so samples from the
    prior have the same distribution: N(0, I) is the same in any rotation. The posterior that
    belongs to it has the covariance `rotation @ diag(variances) @ rotation.T`, under which each
    observation's ELBO is the same too. It is not diagonal, and an encoder of independent latents
    can only give its diagonal, as the rotated one does: the ELBO by that is lower or equal.

    Args:
        vae: Its means come from a dense layer without activation, and its decoder begins with one.
        rotation: Orthogonal, `(latent_dim, latent_dim)`.

    Raises:
        ValueError: if `rotation` is not orthogonal, or the networks have other layers there.

    References:
        Locatello et al. 2019, Challenging Common Assumptions, theorem 1, 1811.12359.
    """
    rotation = np.asarray(rotation, "float64")
    _check_rotation(rotation, vae.latent_dim)
    fixed = sparsity.harden(vae)
    head, first = _head(fixed.encoder), _first(fixed.decoder)
    kernel, *bias = head.get_weights()
    head.set_weights([kernel @ rotation.T, *(b @ rotation.T for b in bias)])
    kernel, *bias = first.get_weights()
    first.set_weights([rotation @ kernel, *bias])
    mean, log_var = fixed.encoder.outputs
    variance = ops.matmul(ops.exp(log_var), np.square(rotation.T).astype("float32"))
    encoder = keras.Model(fixed.encoder.inputs, [mean, ops.log(variance)], name="encoder")
    return fixed.with_networks(encoder, fixed.decoder)


def _check_rotation(rotation, latent_dim):
    shape = (latent_dim, latent_dim)
    if rotation.shape != shape or not np.allclose(
        rotation @ rotation.T, np.eye(latent_dim), atol=1e-5
    ):
        raise ValueError(
            f"`rotation` must be an orthogonal matrix of shape {shape}. "
            f"Received: shape {rotation.shape}, or other products of its rows"
        )


def _head(encoder):
    head = encoder.outputs[0]._keras_history.operation
    if not isinstance(head, keras.layers.Dense) or head.activation is not keras.activations.linear:
        raise ValueError(
            "`vae` must have means that come from a dense layer without activation. "
            f"Received: {type(head).__name__} {head.name!r}"
        )
    return head


def _first(decoder):
    (z,) = decoder.inputs
    readers = [
        operation
        for operation in decoder.operations
        for node in operation._inbound_nodes
        if any(tensor is z for tensor in node.input_tensors)
    ]
    if len(readers) != 1 or not isinstance(readers[0], keras.layers.Dense):
        found = ", ".join(f"{type(r).__name__} {r.name!r}" for r in readers)
        raise ValueError(
            f"`vae` must have a decoder that begins with one dense layer. Received: {found}"
        )
    return readers[0]
