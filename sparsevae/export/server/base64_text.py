"""Base64 as clients write it."""

import base64

_SPACE = b" \t\n\r\v\f"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_KNOWN = (_LETTERS + _SPACE + b"-_").decode()
_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode(text: str) -> bytes:
    """The bytes of base64 in the standard or the URL-safe alphabet.

    As in TensorFlow Serving's decoder, white space is skipped, and the padding may be left out
    but not be wrong. Unlike there the URL-safe letters are taken too: they can mean one thing only.

    Args:
        text: Of any length, in lines or not.

    Raises:
        ValueError: naming what is not base64.
    """
    letters = text.encode("utf-8").translate(_STANDARD, _SPACE)
    bare = letters.rstrip(b"=")
    if bare.translate(None, _LETTERS):
        at, strange = next((k, c) for k, c in enumerate(text) if c not in _KNOWN)
        raise ValueError(f"{'padding' if strange == '=' else repr(strange)} at character {at}")
    n_padding, n_missing = len(letters) - len(bare), -len(bare) % 4
    if n_padding and (n_padding != n_missing or n_padding > 2):
        raise ValueError(f"padding of {n_padding} after {len(bare):,} characters")
    if n_missing > 2:
        raise ValueError(f"{len(bare):,} characters, so it is cut off")
    return base64.b64decode(bare + b"=" * n_missing)
