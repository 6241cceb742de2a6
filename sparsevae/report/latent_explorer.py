"""What the latent explorer of a page needs: a decoder to run there, or pictures of it."""

from typing import Any

import keras
import numpy as np

from sparsevae.report.decoder_program import decoder_program
from sparsevae.report.embedding import png_of
from sparsevae.report.trained_model import TrainedModel

LIMIT = 4_000_000  # characters of the weights of a decoder
_N_STARTS = 6
_REACH = 3.0  # of sliders, in deviations of the prior
_GRID = np.linspace(-_REACH, _REACH, 13)


def latent_explorer(model: TrainedModel, limit: int = LIMIT) -> dict[str, Any]:
    """Codes to begin with, latents in order of use, and how to decode.

    Args:
        model: Of a run.
        limit: Characters that the decoder's weights may take.

    Returns:
        `latents`, `starts`, `reach`, `image_shape`, and `program` or `grid`, and in `how` which of
        the two and why.
    """
    found = {
        "latents": _latents(model),
        "starts": _starts(model),
        "reach": _REACH,
        "image_shape": list(model.vae.image_shape),
    }
    try:
        small = model.small_decoder()
        program = decoder_program(small, _activation(model))
        size = sum(len(text) for step in program["steps"] for text in _texts(step))
        if size > limit:
            raise ValueError(f"its weights would take {size / 1e6:.1f} MB of the page")
    except ValueError as error:
        how = "Pictures made beforehand, one latent at a time. "
        how += f"The decoder does not run here: {error}."
        return found | {"how": how, "grid": _grid(model, found["starts"], limit)}
    n_weights, n_before = small.count_params(), model.exact.decoder.count_params()
    how = (
        f"The compacted decoder itself runs in this page, in JavaScript: {n_weights:,} of its "
        f"{n_before:,} parameters are left, in float16 {size / 1e6:.2f} MB of the page."
    )
    return found | {"how": how, "program": program}


def _latents(model):
    """By use: the KL where it is known, else as they come."""
    kl = model.kl
    order = np.arange(model.vae.latent_dim) if kl is None else np.argsort(-kl, kind="stable")
    threshold = model.vae.active_threshold
    return [
        {
            "latent": int(k),
            "kl": None if kl is None else float(kl[k]),
            "active": None if kl is None else bool(kl[k] > threshold),
        }
        for k in order
    ]


def _starts(model):
    mean = np.zeros(model.vae.latent_dim, np.float32)
    starts = [{"name": "the prior's mean", "code": mean, "picture": None}]
    for k, code in enumerate(model.codes[:_N_STARTS]):
        picture = png_of(model.images[k]) if len(model.images) else None
        name = f"image {k + 1}" if picture else f"draw {k + 1} of the prior"
        starts.append({"name": name, "code": np.round(code, 4), "picture": picture})
    return starts


def _activation(model):
    name = keras.saving.serialize_keras_object(model.vae.likelihood)["class_name"]
    known = {"Bernoulli": "sigmoid", "Gaussian": "linear"}
    if name not in known:
        raise ValueError(f"its likelihood is a {name}")
    return known[name]


def _texts(step):
    parts = (step[name] for name in ("kernel", "bias") if name in step)
    return [text for part in parts for text in part.values() if isinstance(text, str)]


def _grid(model, starts, limit):
    """One picture a start, as many as there is room for: a row a latent, a column a value of it."""
    pictures = []
    for start in starts[:3]:
        z = np.tile(start["code"], (model.vae.latent_dim, len(_GRID), 1))
        for latent in range(model.vae.latent_dim):
            z[latent, :, latent] = _GRID
        images = model.decode(z.reshape(-1, z.shape[-1]).astype(np.float32))
        rows = images.reshape(*z.shape[:2], *images.shape[1:])
        height, width = rows.shape[2:4]
        sheet = rows.transpose(0, 2, 1, 3, 4).reshape(
            len(rows) * height, len(_GRID) * width, rows.shape[-1]
        )
        picture = png_of(sheet)
        if pictures and sum(map(len, (*pictures, picture))) > limit:
            break
        pictures.append(picture)
    return {"values": _GRID, "sheets": pictures}
