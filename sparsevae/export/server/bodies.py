"""Bodies of requests: read within limits, decoded, and binary ones as images."""

import asyncio
import io

import numpy as np

from sparsevae.data.images import check_images
from sparsevae.export.server.gunzip import Gunzip, is_gzip, most_sent
from sparsevae.export.server.limits import Admission, Limits, Refused

NPY = b"\x93NUMPY"
_MAX_HEADER = 512  # of an npy file, in characters; the parser is given no deep nesting
_TURN = 16  # pieces of a chunk that are decoded before others go on: two milliseconds


async def read_body(
    request, limits: Limits, admission: Admission, refusal: Refused | None = None
) -> bytearray:
    """The body of a request, decoded if it is in gzip, its bytes held in `admission`.

    A body that is refused is still read to its end, and thrown away: a client that is cut off
    while it sends would see a broken connection instead of the answer.

    Args:
        request: Starlette request.
        limits: Bounds.
        admission: Holds the bytes; the caller releases `len(body)`.
        refusal: Why the request is refused whatever its body is.

    Raises:
        Refused: `refusal`, 413 for a body that is large, or large once it is decoded, 415 for
            another encoding, 400 for damaged gzip, 503 if bodies fill the memory, 408 for a slow
            one.
    """
    body = bytearray()
    headers = request.headers
    try:
        async with asyncio.timeout(limits.timeout):
            incoming = _Incoming(body, limits, admission)
            refusal = refusal or incoming.announce(headers)
            if refusal and headers.get("expect", "").lower() == "100-continue":
                refusal.headers |= {"Connection": "close"}  # the client waits before it sends
                raise refusal
            async for chunk in request.stream():
                if refusal is None:
                    refusal = await incoming.add(chunk)
            refusal = refusal or incoming.end()
            if refusal:
                raise refusal
    except BaseException as error:
        admission.release(len(body))
        if isinstance(error, TimeoutError):
            message = f"The body did not arrive within {limits.timeout:g} s"
            raise Refused(408, message, {"Connection": "close"}) from None
        raise
    return body


class _Incoming:
    """Decodes a body and keeps it within the limits; each step returns why it is refused, if so."""

    def __init__(self, body, limits, admission):
        self._body, self._limits, self._admission = body, limits, admission
        self._gunzip, self._n_sent, self._most_sent = None, 0, limits.max_body

    def announce(self, headers):
        """Before the first chunk."""
        try:
            if is_gzip(headers.getlist("content-encoding")):
                self._gunzip, self._most_sent = Gunzip(), most_sent(self._limits.max_body)
            announced = int(headers.get("content-length") or 0)  # uvicorn lets digits pass only
            self._bound(announced, self._most_sent)
        except Refused as refusal:
            return refusal
        return None

    async def add(self, chunk):
        """A refusal empties the body."""
        self._n_sent += len(chunk)
        try:
            self._bound(self._n_sent, self._most_sent)
            pieces = self._gunzip.pieces(chunk) if self._gunzip else (chunk,)
            for k, piece in enumerate(pieces, start=1):
                self._bound(len(self._body) + len(piece), self._limits.max_body)
                self._admission.hold(len(piece))
                self._body += piece
                if k % _TURN == 0:
                    await asyncio.sleep(0)
        except Refused as refusal:
            self._admission.release(len(self._body))
            self._body.clear()
            return refusal
        return None

    def end(self):
        """After the last chunk."""
        try:
            if self._gunzip:
                self._gunzip.end()
        except Refused as refusal:
            return refusal
        return None

    def _bound(self, n_bytes, most):
        if n_bytes > most:
            decoded = ", decoded" if self._gunzip else ""
            raise Refused(
                413,
                f"Bodies may have up to {self._limits.max_body:,} bytes{decoded}. "
                f"Received: {n_bytes:,} or more",
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
