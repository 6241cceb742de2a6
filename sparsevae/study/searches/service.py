"""KerasTuner's chief and workers, mended: a worker that dies takes nothing with it.

The chief's own server waits for ever for a trial whose worker was killed. Here every worker has a
heartbeat in the folder that all share; when it is silent for too long, the chief gives its trial
to the next worker, who goes on from the newest checkpoint.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

FOLDER = ".workers"
_BEAT = 1.0  # seconds
_LOOK = 0.5
_GRACE = 5.0


def role() -> str:
    """ "chief", "worker" or "alone", by KerasTuner's environment variables."""
    from keras_tuner.src.distribute import utils

    if not utils.has_chief_oracle():
        return "alone"
    return "chief" if utils.is_chief_oracle() else "worker"


def beat(folder: Path, tuner_id: str) -> None:
    """Gives a sign of life once a second until this process ends; returns at once."""
    path = folder / FOLDER / tuner_id
    path.parent.mkdir(parents=True, exist_ok=True)

    def run():
        for number in _count():
            path.write_text(f"{os.getpid()} {number}\n")

    threading.Thread(target=run, daemon=True).start()


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
        time.sleep(_BEAT)


class Pulse:
    """Which workers have been silent for too long, by this machine's clock alone."""

    def __init__(self, folder: Path, patience: float):
        self.folder, self.patience = folder / FOLDER, patience
        self._seen: dict[str, tuple[str, float]] = {}

    def lost(self, tuner_ids) -> list[str]:
        """Those of the workers whose heartbeat has not changed for `patience` seconds."""
        return [tuner_id for tuner_id in tuner_ids if self._silence(tuner_id) > self.patience]

    def forget(self, tuner_id: str) -> None:
        """Counts the silence of a worker from now on."""
        self._seen.pop(tuner_id, None)

    def _silence(self, tuner_id):
        path = self.folder / tuner_id
        beat = path.read_text() if path.exists() else ""
        now = time.monotonic()
        if self._seen.get(tuner_id, (None,))[0] != beat:
            self._seen[tuner_id] = (beat, now)
        return now - self._seen[tuner_id][1]


def serve(
    oracle,
    folder: Path,
    address: str,
    patience: float,
    tend: Callable[[int], None] = lambda port: None,
    say: Callable[[str], None] = print,
) -> None:
    """Answers workers until the search is over.

    Args:
        oracle: One of `oracles`.
        folder: Of the search.
        address: `HOST:PORT` to listen at; port 0 for any.
        patience: Seconds of silence after which a worker counts as lost.
        tend: Called twice a second with the port.
        say: Takes a line about each worker that is lost.

    Raises:
        OSError: if the address cannot be had.
    """
    server, port = _server(oracle, address)
    pulse = Pulse(folder, patience)
    try:
        while not oracle.is_over():
            tend(port)
            for tuner_id in pulse.lost({*oracle.tuner_ids, *oracle.ongoing_trials}):
                trial = oracle.release(tuner_id)
                pulse.forget(tuner_id)
                say(f"{tuner_id} is lost" + (f"; trial {trial} waits for a worker" * bool(trial)))
            time.sleep(_LOOK)
    finally:
        server.stop(_GRACE).wait()


def _server(oracle, address):
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise OSError(f"Cannot listen at {address}: is another chief there?")
    server.start()
    return server, port


def chief_address() -> str:
    """Where KerasTuner's environment variables say that the chief is."""
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
