"""Running a study on several machines, by dask.distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsevae.study.cells.cell import note_failure, run_cell

if TYPE_CHECKING:
    from sparsevae.study.sweeps.grid import Study

_RETRY = 2.0  # seconds between looks at a cell that a lost worker may still hold


class Cluster:
    """The workers of a dask scheduler; a lost worker's cell goes to another one.

    Args:
        study: Study whose folder all workers see under the same path.
        scheduler: Address, such as `tcp://host:8786`.
        tensorboard: Whether runs write TensorBoard logs.

    Raises:
        ImportError: if dask.distributed is not installed.
        OSError: if there is no scheduler at the address.
    """

    def __init__(self, study: Study, scheduler: str, tensorboard: bool):
        try:
            from distributed import Client
        except ImportError as error:
            raise ImportError(
                "`scheduler` needs dask.distributed: pip install 'sparsevae[cluster]'"
            ) from error
        self.study, self.tensorboard = study, tensorboard
        self.client = Client(scheduler, timeout=30)
        self.futures: dict = {}

    def __enter__(self) -> Cluster:
        self.futures = {
            settings.name: self.client.submit(
                _run_cell,
                self.study.folder.absolute(),
                settings,
                self.tensorboard,
                key=f"{self.study.name}/{settings.name}",
                priority=-number,
                pure=False,
            )
            for number, settings in enumerate(self.study.cells)
        }
        return self

    def __exit__(self, *error) -> None:
        if error[0] is not None:
            self.client.cancel(list(self.futures.values()))
        self.client.close()

    def tend(self, states) -> None:
        """Marks the cells that dask has given up as failed."""
        for state in states:
            name = state.name
            if state.status == "waiting" and self.futures[name].status == "error":
                reason = f"dask gave up: {self.futures[name].exception()}"
                note_failure(self.study.folder / name, reason, lasting=False)


def _run_cell(folder, settings, tensorboard):
    return run_cell(folder, settings, tensorboard, wait=_RETRY)
