"""Settings and results of studies and searches for the HParams page of TensorBoard."""

import math
import time
from collections.abc import Mapping
from pathlib import Path

from sparsevae import records

FOLDER = "tensorboard"


def write_hparams(
    folder: Path, chosen: Mapping[str, str | float], measured: Mapping[str, float], step: int
) -> None:
    """Writes `FOLDER/tensorboard/hparams` for what was run in a folder, unless it is there.

    Args:
        folder: Of a complete run or trial; its name is shown.
        chosen: Hyperparameters.
        measured: Values to compare by; those that are not finite are left out.
        step: At which they were measured.
    """
    # Loaded only where used; the protocol buffers are TensorBoard's, TensorFlow trains nothing.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import summary_v2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    place = folder / FOLDER / "hparams"
    if place.exists():
        return
    with records.atomic_folder(place) as temporary:
        writer = EventFileWriter(str(temporary))
        now = time.time()
        begin = summary_v2.hparams_pb(dict(chosen), folder.name)
        writer.add_event(Event(wall_time=now, step=0, summary=begin))
        for name, value in measured.items():
            if math.isfinite(value):
                summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                writer.add_event(Event(wall_time=now, step=int(step), summary=summary))
        writer.close()
