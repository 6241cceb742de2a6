"""Data inside an HTML file: as text that ends no script, and as base64."""

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image

_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def script_json(value: Any) -> str:
    """JSON that may stand in a script tag: nothing in it ends the tag or begins a comment.

    NaN and infinities are null.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "".join(_ESCAPES.get(character, character) for character in text)


def script_code(code: str) -> str:
    """JavaScript that may stand in a script tag, if `</script` is in its strings only."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def base64_of(array: np.ndarray) -> str:
    """The bytes of an array, row by row and little-endian."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def png_address(content: bytes) -> str:
    """A PNG file as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def png_of(image: np.ndarray) -> str:
    """An image as an address.

    Args:
        image: `(height, width, channels)` of 1 or 3 channels (of others the first), uint8, or
            floats in [0, 1].
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        image = np.uint8(np.round(255 * np.clip(np.nan_to_num(image), 0, 1)))
    pixels = image if image.shape[-1] == 3 else image[..., 0]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return png_address(stream.getvalue())


def _finite(value):
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _finite(value.tolist())
    if isinstance(value, float) and value - value != 0:  # NaN and infinities
        return None
    return value
