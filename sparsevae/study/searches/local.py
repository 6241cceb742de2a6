"""The workers of a search on this machine."""

import collections
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sparsevae.study.cells import worker
from sparsevae.study.searches.tuner import SparsityTuner

MAX_DEATHS = 3  # of one worker


@contextmanager
def local_workers(
    tuner: SparsityTuner, cores: Sequence[int], target: str
) -> Iterator[Callable[[int], None]]:
    """Worker processes of this machine, replaced when they die.

    Args:
        tuner: Of the search.
        cores: One worker for each.
        target: What a worker does, as "module:function".

    Yields:
        Function of the chief's port that starts the workers that are not there.
    """
    at: dict[int, multiprocessing.process.BaseProcess] = {}
    deaths: collections.Counter[int] = collections.Counter()

    def tend(port):
        for core in cores:
            process = at.get(core)
            if process and (process.is_alive() or process.exitcode == 0):
                continue
            log = tuner.folder / worker.LOGS / f"worker-{core}.log"
            if process:
                deaths[core] += 1
                if deaths[core] == MAX_DEATHS:
                    raise RuntimeError(f"A worker died {MAX_DEATHS} times; the end of its log: "
                                       f"{_last_line(log)}")  # fmt: skip
            environment = {
                "KERASTUNER_TUNER_ID": f"tuner{core}",
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": str(port),
            }
            at[core] = worker.start(
                target,
                tuner.base,
                tuner.plan,
                tuner.folder,
                tuner.tensorboard,
                core=core,
                log=log,
                environment=environment,
            )

    try:
        yield tend
        for process in at.values():
            process.join(10)
    finally:
        for process in at.values():
            process.terminate()
            process.join()


def _last_line(log):
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
