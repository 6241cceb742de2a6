"""Bodies of requests: read within limits, and binary ones as images."""

import asyncio
import io

import numpy as np

from sparsevae.data.images import check_images
from sparsevae.export.server.limits import Admission, Limits, Refused

NPY = b"\x93NUMPY"
_MAX_HEADER = 512  # of an npy file, in characters; the parser is given no deep nesting


async def read_body(
    request, limits: Limits, admission: Admission, refusal: Refused | None = None
) -> bytearray:
    """The body of a request, its bytes held in `admission`.

    A body that is refused is still read to its end, and thrown away: a client that is cut off
    while it sends would see a broken connection instead of the answer.

    Args:
        request: Starlette request.
        limits: Bounds.
        admission: Holds the bytes; the caller releases `len(body)`.
        refusal: Why the request is refused whatever its body is.

    Raises:
        Refused: `refusal`, 413 for a large body, 503 if bodies fill the memory, 408 for a slow one.
    """
    body = bytearray()
    headers = request.headers
    try:
        async with asyncio.timeout(limits.timeout):
            announced = int(headers.get("content-length") or 0)  # uvicorn lets digits pass only
            if refusal is None and announced > limits.max_body:
                refusal = _too_large(announced, limits)
            if refusal and headers.get("expect", "").lower() == "100-continue":
                refusal.headers |= {"Connection": "close"}  # the client waits before it sends
                raise refusal
            async for chunk in request.stream():
                if refusal is None:
                    refusal = _keep(body, chunk, limits, admission)
            if refusal:
                raise refusal
    except BaseException as error:
        admission.release(len(body))
        if isinstance(error, TimeoutError):
            message = f"The body did not arrive within {limits.timeout:g} s"
            raise Refused(408, message, {"Connection": "close"}) from None
        raise
    return body


def _keep(body, chunk, limits, admission):
    """Adds a chunk; or empties the body and returns why it is refused."""
    if len(body) + len(chunk) > limits.max_body:
        refusal = _too_large(len(body) + len(chunk), limits)
    else:
        try:
            admission.hold(len(chunk))
            body += chunk
            return None
        except Refused as full:
            refusal = full
    admission.release(len(body))
    body.clear()
    return refusal


def _too_large(n_bytes, limits):
    return Refused(
        413, f"Bodies may have up to {limits.max_body:,} bytes. Received: {n_bytes:,} or more"
    )


def read_images(body: bytes, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Images of a binary body: an npy file, or raw uint8 pixels.

    Args:
        body: npy of `(n, height, width, channels)`, uint8 or floats in [0, 1]; or
            `n * height * width * channels` bytes.
        image_shape: `(height, width, channels)`.

    Raises:
        ValueError: if it is neither.
    """
    if body[: len(NPY)] == NPY:
        return check_images(_read_npy(body), image_shape)
    n_pixels = int(np.prod(image_shape))
    if not body or len(body) % n_pixels:
        height, width, channels = image_shape
        raise ValueError(
            f"A raw body must be n x {height} x {width} x {channels} bytes, a multiple of "
            f"{n_pixels}; an npy body must begin as one. Received: {len(body)} bytes"
        )
    return check_images(np.frombuffer(body, np.uint8).reshape(-1, *image_shape), image_shape)


def _read_npy(body):
    """The array of an npy file, without a copy; nothing is unpickled or allocated by its header."""
    file = io.BytesIO(memoryview(body)[:_MAX_HEADER])
    try:
        version = np.lib.format.read_magic(file)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, fortran_order, dtype = read[version[0]](file, max_header_size=_MAX_HEADER)
        start = file.tell()
    except (ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError("The npy header is damaged, or of a version other than 1 and 2") from error
    if dtype.hasobject or dtype.itemsize == 0 or any(n < 0 for n in shape):
        raise ValueError(f"An npy body must hold numbers. Received: dtype {dtype}, shape {shape}")
    n_items = 1
    for n in shape:
        n_items *= n
    if len(body) - start != n_items * dtype.itemsize:
        raise ValueError(
            f"The npy body is cut off or too long: shape {shape} of {dtype} takes "
            f"{n_items * dtype.itemsize} bytes. Received: {len(body) - start}"
        )
    array = np.frombuffer(body, dtype, offset=start)
    return array.reshape(shape, order="F" if fortran_order else "C")


def to_npy(array: np.ndarray) -> bytes:
    """An array as the bytes of an npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()
