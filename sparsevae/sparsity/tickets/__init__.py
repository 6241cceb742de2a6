"""Lottery tickets: iterative magnitude pruning with rewinding, its controls, overlap of masks.

In: functions that make and train a model, and a folder. Out: pandas tables; in the folder the
masks, weights and result of each training, whole or not there. May import what `sparsity` may.
"""

from sparsevae.sparsity.tickets.overlap import jaccard, mask_overlap, overlaps
from sparsevae.sparsity.tickets.search import find

__all__ = ["find", "jaccard", "mask_overlap", "overlaps"]
