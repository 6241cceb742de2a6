"""JSON that holds one regular array of numbers, faster than through nested lists.

A parser of any JSON makes a list of every pixel and of every row. Here the brackets are compared
with those of the expected shape as one string, and the numbers parsed as one flat list, piece by
piece. Only a strict parser reads numbers, commas and what stands around the array, so a body is
taken here if that parser takes it, and means the same.
"""

import numpy as np
import orjson

_PIECE = 2**14  # bytes of numbers parsed together; their objects stay in the cache
_SPACE = b" \t\r\n"
_FLAT = bytes.maketrans(b"[]", b"  ")
_ONE_DIGIT = bytes.maketrans(b"-123456789", b"0" * 10)  # whatever begins or ends a number


def loads(body: bytes, shape: tuple[int, ...]) -> object:
    """The value of a JSON text; if it has one array, of shape `(n, *shape)`, as float64 array.

    Whatever does not look like that goes through a parser of any JSON.

    Args:
        body: UTF-8.
        shape: Of one item of the array.

    Raises:
        ValueError: if it is no JSON, nested too deeply, or holds NaN or infinity.
    """
    start, stop = body.find(b"["), body.rfind(b"]") + 1
    if 0 <= start < stop:
        array = _array(body[start:stop], shape)
        if array is not None:
            # For the parser one array is as good as another; outside there are no brackets, so a
            # list in what it returns is this one, at its key and not in a string.
            asked = _loads(body[:start] + b"[]" + body[stop:])
            items = asked.items() if isinstance(asked, dict) else ()
            holes = [key for key, value in items if isinstance(value, list)]
            if holes:
                return asked | {holes[0]: array}
    return _loads(body)


def _loads(text):
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"The body must be JSON. Received: {error}") from None


def _array(text, shape):
    """`(n, *shape)`, or None if the text is anything else."""
    item = b"[" + b"," * (shape[-1] - 1) + b"]"
    for n in shape[-2::-1]:
        item = b"[" + b",".join([item] * n) + b"]"
    brackets = text.translate(None, b"0123456789.eE+-" + _SPACE)
    n, rest = divmod(len(brackets) - 1, len(item) + 1)
    if rest or n < 1 or brackets != b"[" + b",".join([item] * n) + b"]":
        return None
    if _misplaced(text):
        return None
    numbers = _numbers(text.translate(_FLAT), n * int(np.prod(shape)))
    return None if numbers is None else numbers.reshape(n, *shape)


def _misplaced(text):
    """Whether a number stands before an opening bracket or after a closing one.

    With the brackets and commas of the shape, and one number between two commas, as the flat list
    shows, this is all that can be wrong.
    """
    order = text.translate(_ONE_DIGIT, _SPACE)
    return b"0[" in order or b"]0" in order


def _numbers(text, n):
    """Float array `(n,)` of numbers between commas, or None if they are not that."""
    numbers = np.empty(n)
    start = n_read = 0
    while start <= len(text):
        stop = text.find(b",", start + _PIECE)
        stop = len(text) if stop < 0 else stop
        try:
            piece = orjson.loads(b"[" + text[start:stop] + b"]")
        except orjson.JSONDecodeError:
            return None
        if n_read + len(piece) > n:
            return None
        numbers[n_read : n_read + len(piece)] = piece
        n_read, start = n_read + len(piece), stop + 1
    return numbers if n_read == n else None
