"""Tables like those of studies, with known differences."""

import numpy as np
import pandas as pd


def study(differences, gates=("binary", "continuous"), seed=0, noise=0.0):
    """One dense run and one of each gate for each seed; gates differ from dense as given."""
    rng = np.random.default_rng(seed)
    rows = []
    for k, level in enumerate(rng.normal(size=len(differences))):
        rows.append({"seed": k, "gate": None, "score_mig": level, "elbo": -30.0})
        for gate in gates:
            score = level + differences[k] + noise * rng.normal()
            rows.append({"seed": k, "gate": gate, "score_mig": score, "elbo": -31.0})
    return pd.DataFrame(rows).astype({"gate": "string"})


def swept(line, elbos, n_seeds=3):
    """One dense run at ELBO -30 for each seed, and binary runs at `elbos` with scores `line`."""
    rows = []
    for k in range(n_seeds):
        rows.append({"seed": k, "gate": "none", "density": 1.0, "elbo": -30.0, "score_mig": 0.5})
        rows += [
            {"seed": k, "gate": "binary", "density": 1 / (2 + j), "elbo": e, "score_mig": line(e)}
            for j, e in enumerate(elbos)
        ]
    return pd.DataFrame(rows)
