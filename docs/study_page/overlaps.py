"""Do methods, and seeds, choose the same links?"""

import itertools

import pandas as pd

from sparsevae.sparsity.tickets import mask_overlap
from studies.pack import read_masks


def overlaps(runs: pd.DataFrame, density: float) -> pd.DataFrame:
    """Overlap of masks of the main part at a density, beside what independent masks have.

    Returns:
        A row for each pair of methods (`method`, `other`): `n` pairs of runs, mean `jaccard` and
        `chance`. Runs of two methods are of one seed, runs of one method of different seeds.
    """
    chosen = runs[(runs.part == "main") & (runs.level == density) & runs.masks.notna()]
    masks = [(run.method, run.seed, read_masks(run.masks)) for run in chosen.itertuples()]
    rows = []
    for one, two in itertools.combinations(sorted(masks, key=lambda mask: mask[:2]), 2):
        if (one[0] == two[0]) != (one[1] == two[1]):
            whole = mask_overlap(one[2], two[2]).iloc[0]
            rows.append((one[0], two[0], whole.jaccard, whole.chance))
    table = pd.DataFrame(rows, columns=["method", "other", "jaccard", "chance"])
    found = table.groupby(["method", "other"], sort=False)
    return found.mean().assign(n=found.size()).reset_index()
