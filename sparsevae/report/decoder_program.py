"""A decoder as data that a page can run: its layers in order, their weights as text."""

import base64
from typing import Any

import keras
import numpy as np

from sparsevae.report.embedding import base64_of

_ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")
_MIX = "bk,kj->bjk"  # each feature's own latents
_READ = "bjh,hj->bj"  # each feature's own readout


def decoder_program(decoder: keras.Model, activation: str) -> dict[str, Any]:
    """The steps of a decoder for `decoder.js`, weights in float16.

    Args:
        decoder: Functional model of stock layers, one after the other: dense and transposed
            convolutions, reshapes, and the two einsums of `models.sparse_decoding_vae`.
        activation: From its output to the mean image: "sigmoid" or "linear".

    Returns:
        `latent_dim`, `image_shape`, `steps`: dicts with `kind` and what that kind needs.

    Raises:
        ValueError: for a layer of another kind or a graph that is no chain, naming it; for weights
            that float16 cannot hold.
    """
    steps, last = [], None
    for layer in decoder.layers:
        if isinstance(layer, keras.layers.InputLayer):
            last = layer.output
            continue
        if len(layer._inbound_nodes) != 1 or layer.input is not last:
            raise ValueError(f"layer {layer.name!r} is not one of a chain")
        last = layer.output
        steps += _steps(layer)
    steps.append({"kind": "activation", "activation": activation})
    shape = [int(size) for size in decoder.output_shape[1:]]
    return {"latent_dim": int(decoder.input_shape[-1]), "image_shape": shape, "steps": steps}


def packed(array: np.ndarray) -> dict[str, Any]:
    """Numbers as base64 of float16; where many are 0, those that are not and one bit for each.

    Raises:
        ValueError: if a number is too large for float16, or not finite.
    """
    flat = np.asarray(array, np.float32).ravel()
    with np.errstate(over="ignore"):  # seen below
        small = flat.astype(np.float16)
    if not np.isfinite(small).all():
        raise ValueError("weights are too large for float16, or not finite")
    there = small != 0
    if 2 * there.sum() + small.size / 8 < 2 * small.size:
        bits = np.packbits(there, bitorder="little")
        return {"n": small.size, "bits": base64_of(bits), "values": base64_of(small[there])}
    return {"n": small.size, "values": base64_of(small)}


def unpacked(content: dict[str, Any]) -> np.ndarray:
    """Float32 array `(n,)` of what `packed` gives; `decoder.js` does the same."""
    values = np.frombuffer(base64.b64decode(content["values"]), "<f2").astype(np.float32)
    if "bits" not in content:
        return values
    bits = np.frombuffer(base64.b64decode(content["bits"]), np.uint8)
    there = np.unpackbits(bits, bitorder="little")[: content["n"]].astype(bool)
    whole = np.zeros(content["n"], np.float32)
    whole[there] = values
    return whole


def _steps(layer):
    if isinstance(layer, keras.layers.Reshape):
        return [{"kind": "reshape", "shape": [int(size) for size in layer.output.shape[1:]]}]
    makers = {
        keras.layers.Dense: _dense,
        keras.layers.Conv2DTranspose: _transposed,
        keras.layers.EinsumDense: _einsum,
    }
    if isinstance(layer, keras.layers.Identity):
        return []
    if type(layer) not in makers:
        raise ValueError(f"layer {layer.name!r} is a {type(layer).__name__}")
    return [makers[type(layer)](layer), _activation(layer)]


def _activation(layer):
    name = keras.activations.serialize(layer.activation)
    if name not in _ACTIVATIONS:
        raise ValueError(f"layer {layer.name!r} has the activation {name!r}")
    return {"kind": "activation", "activation": name}


def _weights(layer):
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    bias = keras.ops.convert_to_numpy(layer.bias) if layer.bias is not None else None
    found = {"kernel": packed(kernel), "shape": list(kernel.shape)}
    return found | ({} if bias is None else {"bias": packed(bias)})


def _dense(layer):
    return {"kind": "dense", **_weights(layer)}


def _transposed(layer):
    plain = layer.data_format == "channels_last" and tuple(layer.dilation_rate) == (1, 1)
    if not plain or layer.output_padding is not None or getattr(layer, "groups", 1) != 1:
        raise ValueError(f"layer {layer.name!r} is dilated, padded or has its channels first")
    return {
        "kind": "transposed",
        **_weights(layer),
        "strides": list(layer.strides),
        "padding": layer.padding,
    }


def _einsum(layer):
    if layer.equation not in (_MIX, _READ):
        raise ValueError(f"layer {layer.name!r} is an einsum {layer.equation!r}")
    return {"kind": "mix" if layer.equation == _MIX else "read", **_weights(layer)}
