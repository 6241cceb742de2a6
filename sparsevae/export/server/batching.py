"""Requests that wait are answered together, in batches that threads compute."""

import asyncio
import collections
import concurrent.futures
from collections.abc import Callable

import numpy as np

from sparsevae.data.images import as_float32
from sparsevae.export.server.limits import Refused


class Waiting:
    """A request in the queue: its array, how far it is, and where its outputs go."""

    def __init__(self, array: np.ndarray, future: asyncio.Future):
        self.array, self.future = array, future
        self.n_taken = self.n_done = 0
        self.parts: dict[int, dict[str, np.ndarray]] = {}  # by first row

    def add(self, start: int, outputs: dict[str, np.ndarray]) -> None:
        """Outputs of some rows; the last ones answer the request."""
        self.parts[start] = outputs
        self.n_done += len(next(iter(outputs.values())))
        if self.n_done < len(self.array) or self.future.done():
            return
        if len(self.parts) > 1:
            parts = [self.parts[start] for start in sorted(self.parts)]
            outputs = {name: np.concatenate([part[name] for part in parts]) for name in outputs}
        self.future.set_result(outputs)


class Batcher:
    """Runs one signature of a model on the images of all requests that wait.

    There is no delay: while batches are computed, the next one gathers. A request larger than a
    batch is computed in parts, and lets the others go first after each.

    Args:
        call: From a float32 array to outputs by name.
        pool: Executor of the threads.
        n_threads: Batches computed at a time.
        max_batch: Most rows in one call.
        observe: Called with the number of rows of each batch.
    """

    def __init__(
        self,
        call: Callable[[np.ndarray], dict[str, np.ndarray]],
        pool: concurrent.futures.Executor,
        n_threads: int,
        max_batch: int,
        observe: Callable[[int], None],
    ):
        self._call, self._pool, self._n_threads = call, pool, n_threads
        self._max_batch, self._observe = max_batch, observe
        self._queue: collections.deque[Waiting] = collections.deque()
        self._n_working = 0
        self._tasks: set[asyncio.Task] = set()  # the loop itself keeps weak references only

    async def compute(self, array: np.ndarray, timeout: float) -> dict[str, np.ndarray]:
        """Outputs by name for the rows of an array, uint8 or float.

        Raises:
            Refused: 504, if they are not there in time.
        """
        waiting = Waiting(array, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._n_working < self._n_threads:
            self._n_working += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(timeout):
                return await waiting.future
        except TimeoutError:
            raise Refused(504, f"No codes within {timeout:g} s; the server is busy") from None

    async def _work(self):
        """Computes until nothing waits; between finding that and its end nobody else runs."""
        try:
            while self._queue:
                await self._answer(self._take())
        finally:
            self._n_working -= 1

    async def _answer(self, taken):
        if not taken:
            return
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._pool, self._run, taken)
        except Exception as error:
            for waiting, _, _ in taken:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
            return
        self._observe(sum(stop - start for _, start, stop in taken))
        first = 0
        for waiting, start, stop in taken:
            rows = slice(first, first + stop - start)
            waiting.add(start, {name: output[rows] for name, output in outputs.items()})
            first = rows.stop

    def _take(self):
        """The rows of the next batch, as (request, start, stop); what is left goes to the end."""
        taken, room, unfinished = [], self._max_batch, None
        while self._queue and room:
            waiting = self._queue.popleft()
            if waiting.future.done():  # its time is over, or its client gone
                continue
            start = waiting.n_taken
            stop = waiting.n_taken = min(start + room, len(waiting.array))
            room -= stop - start
            taken.append((waiting, start, stop))
            if stop < len(waiting.array):
                unfinished = waiting
        if unfinished is not None:
            self._queue.append(unfinished)
        return taken

    def _run(self, taken):
        """In the thread."""
        parts = [waiting.array[start:stop] for waiting, start, stop in taken]
        batch = as_float32(parts[0]) if len(parts) == 1 else _joined(parts)
        return self._call(batch)


def _joined(parts):
    batch = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.float32)
    start = 0
    for part in parts:
        as_float32(part, out=batch[start : start + len(part)])
        start += len(part)
    return batch
