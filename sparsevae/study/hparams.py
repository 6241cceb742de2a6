"""Settings and results of a study for the HParams page of TensorBoard."""

import math
import time

from sparsevae import records
from sparsevae.study.grid import Study
from sparsevae.study.table import study_table

FOLDER = "tensorboard"
_MEASURED = ("elbo", "kl", "density", "active_latents")


def write_hparams(study: Study) -> None:
    """Writes `CELL/tensorboard/hparams` for each complete cell that has none yet."""
    # Loaded only where used; the protocol buffers are TensorBoard's, TensorFlow trains nothing.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import summary_v2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    table = study_table(study)
    names = [c for c in table if c in _MEASURED or c.startswith("score_")]
    for row in table[table["status"] == "complete"].to_dict("records"):
        folder = study.folder / row["run"] / FOLDER / "hparams"
        if folder.exists():
            continue
        with records.atomic_folder(folder) as temporary:
            writer = EventFileWriter(str(temporary))
            chosen = {field: row[field] for field in study.varied}
            now = time.time()
            writer.add_event(
                Event(wall_time=now, step=0, summary=summary_v2.hparams_pb(chosen, row["run"]))
            )
            for name in names:
                if math.isfinite(row[name]):
                    value = Summary.Value(tag=name, simple_value=row[name])
                    summary = Summary(value=[value])
                    writer.add_event(Event(wall_time=now, step=int(row["step"]), summary=summary))
            writer.close()
