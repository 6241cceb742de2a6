"""What a server takes on, and how it says no."""

import dataclasses


class Refused(Exception):
    """A request that gets an error in JSON instead of codes.

    Attributes:
        status: HTTP status, 400 or above.
        message: One line: what was expected, what was received.
        headers: Of the response.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of memory and time. Bodies in memory take 4 x `max_body` bytes together, at most.

    Attributes:
        max_body: Bytes in a body, of one in gzip those it decodes to; above: 413.
        max_requests: Requests for codes at a time, being read, waiting and computed; above: 503.
        max_batch: Images in one call of the model.
        timeout: Seconds for headers and body to arrive (408), and for codes to be computed (504).
    """

    max_body: int = 64 * 2**20
    max_requests: int = 256
    max_batch: int = 64
    timeout: float = 30.0

    def __post_init__(self):
        for name in ("max_body", "max_requests", "max_batch", "timeout"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received: {name}={value!r}")


class Admission:
    """Counts the requests that are being served and the bytes of their bodies.

    Args:
        limits: Bounds.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self.n_requests = 0
        self.n_bytes = 0

    def full(self) -> Refused | None:
        """Why no other request can be let in, if so."""
        if self.n_requests < self._limits.max_requests:
            return None
        return busy(f"{self.n_requests} requests are being served")

    def __enter__(self):
        self.n_requests += 1
        return self

    def __exit__(self, *error):
        self.n_requests -= 1

    def hold(self, n_bytes: int) -> None:
        """Counts bytes of a body before they are kept; `release` gives them back.

        Raises:
            Refused: 503, if all bodies together were too large.
        """
        if self.n_bytes + n_bytes > 4 * self._limits.max_body:
            raise busy(f"bodies of {self.n_bytes:,} bytes are being served")
        self.n_bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Forgets bytes that were held."""
        self.n_bytes -= n_bytes


def busy(why: str) -> Refused:
    """503, which asks to try again."""
    return Refused(503, f"The server is busy: {why}. Try again later", {"Retry-After": "1"})
