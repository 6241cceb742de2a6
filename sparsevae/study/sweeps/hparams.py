"""Settings and results of a study for the HParams page of TensorBoard."""

from sparsevae.study.cells.hparams import write_hparams
from sparsevae.study.sweeps.grid import Study
from sparsevae.study.sweeps.table import study_table

_MEASURED = ("elbo", "kl", "density", "active_latents")


def write_study_hparams(study: Study) -> None:
    """Writes what was varied and measured of each complete cell of a study."""
    table = study_table(study)
    names = [c for c in table if c in _MEASURED or c.startswith("score_")]
    for row in table[table["status"] == "complete"].to_dict("records"):
        chosen = {field: row[field] for field in study.varied}
        measured = {name: row[name] for name in names}
        write_hparams(study.folder / row["run"], chosen, measured, row["step"])
