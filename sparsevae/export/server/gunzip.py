"""Bodies in gzip, decoded as they arrive."""

import zlib
from collections.abc import Iterator

from sparsevae.export.server.limits import Refused

ENCODINGS = ("gzip", "identity")  # deflate is raw with some clients and zlib with others

_PIECE = 2**16  # bytes that come out at a time: what a small body can grow to before it is counted
_SLICE = 2**12  # bytes that go in at a time; zlib copies the rest at the end of every stream


def is_gzip(encodings: list[str]) -> bool:
    """Whether a body is in gzip, or as it is.

    Args:
        encodings: Values of all `Content-Encoding` headers.

    Raises:
        Refused: 415 for any other encoding, or two of them.
    """
    named = [name.strip().lower() for value in encodings for name in value.split(",")]
    named = [name.removeprefix("x-") for name in named if name not in ("", "identity")]
    if named in ([], ["gzip"]):
        return bool(named)
    accepted = {"Accept-Encoding": ", ".join(ENCODINGS)}
    message = f"Content-Encoding must be {' or '.join(ENCODINGS)}. Received: {', '.join(named)}"
    raise Refused(415, message[:160], accepted)


def most_sent(n_bytes: int) -> int:
    """Bytes that a gzip body of `n_bytes` may take: a little more, if it does not compress."""
    return n_bytes + n_bytes // 64 + 1024


class Gunzip:
    """Decodes one body: a gzip stream, or several in a row."""

    def __init__(self):
        self._stream = zlib.decompressobj(wbits=31)  # gzip alone, with its checksum

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes decode to, in pieces that may be empty.

        Raises:
            Refused: 400, if they do not go on in gzip.
        """
        for start in range(0, len(chunk), _SLICE):
            rest, is_full = chunk[start : start + _SLICE], False
            while rest or is_full:
                if self._stream.eof and rest:
                    self._stream = zlib.decompressobj(wbits=31)
                try:
                    piece = self._stream.decompress(rest, _PIECE)
                except zlib.error as error:
                    raise _damaged(str(error).rpartition(": ")[-1]) from None
                yield piece
                rest = self._stream.unconsumed_tail or self._stream.unused_data
                is_full = len(piece) == _PIECE and not self._stream.eof  # zlib may hold more

    def end(self) -> None:
        """Says that the body has come to its end.

        Raises:
            Refused: 400, if it is cut off.
        """
        if not self._stream.eof:
            raise _damaged("a stream that is cut off")


def _damaged(found):
    return Refused(400, f"The body must be gzip, as Content-Encoding says. Received: {found}")
