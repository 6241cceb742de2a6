"""What an encoder and a decoder must be to make a VAE."""

import keras


def check_networks(encoder: keras.Model, decoder: keras.Model) -> None:
    """Refuses networks that do not fit each other.

    Raises:
        ValueError: with the shapes expected and received.
    """
    if len(encoder.outputs) != 2 or encoder.outputs[0].shape != encoder.outputs[1].shape:
        raise ValueError(
            "`encoder` must have two outputs of one shape (batch, latent_dim), mean and log "
            f"variance. Received: outputs {[o.shape for o in encoder.outputs]}"
        )
    latent_dim = encoder.outputs[0].shape[-1]
    image_shape = tuple(encoder.inputs[0].shape[1:])
    if tuple(decoder.inputs[0].shape[1:]) != (latent_dim,):
        raise ValueError(
            f"`decoder` must take the encoder's latents, shape (batch, {latent_dim}). "
            f"Received: input shape {decoder.inputs[0].shape}"
        )
    if tuple(decoder.outputs[0].shape[1:]) != image_shape:
        raise ValueError(
            f"`decoder` must give images like the encoder's, {image_shape}. "
            f"Received: output shape {decoder.outputs[0].shape}"
        )
