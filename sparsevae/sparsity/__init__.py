"""Whole-model sparsity for any Keras model: gates, controls, densities, reports, folding.

In: functional and Sequential Keras models. Out: the same with gates, controls that close them in
plain `fit`, masks chosen before, lottery tickets, densities, tables, and models of stock layers,
whole or without dead channels. May import keras, pandas, `layers`, `gates`, `training`, `records`;
any Keras backend.
"""

from sparsevae.sparsity import at_start, liveness, tickets
from sparsevae.sparsity.compacting import compact
from sparsevae.sparsity.comparison import Comparison, compare
from sparsevae.sparsity.control import Control
from sparsevae.sparsity.controlled import Controlled
from sparsevae.sparsity.density_report import Report, report
from sparsevae.sparsity.distortion import Distortion
from sparsevae.sparsity.failure_watch import FailureWatch, Finding, failures
from sparsevae.sparsity.fixed_mask import FixedMask
from sparsevae.sparsity.hardening import harden
from sparsevae.sparsity.latents import closed_latents
from sparsevae.sparsity.links import (
    by_name,
    gated_layers,
    layer_densities,
    masks,
    share_of_links,
    weighted_mean,
)
from sparsevae.sparsity.liveness import register as register_liveness
from sparsevae.sparsity.magnitude_pruning import MagnitudePruning
from sparsevae.sparsity.pruned_masks import gate_masks, set_gate_masks
from sparsevae.sparsity.rewiring import SET, RigL
from sparsevae.sparsity.small_weights import cut_below, share_below
from sparsevae.sparsity.sparse_model import SparseModel
from sparsevae.sparsity.sparsification import sparsify
from sparsevae.sparsity.strength import Strength
from sparsevae.sparsity.target_density import TargetDensity
from sparsevae.sparsity.top_k import TopK

__all__ = [
    "SET",
    "Comparison",
    "Control",
    "Controlled",
    "Distortion",
    "FailureWatch",
    "Finding",
    "FixedMask",
    "MagnitudePruning",
    "Report",
    "RigL",
    "SparseModel",
    "Strength",
    "TargetDensity",
    "TopK",
    "at_start",
    "by_name",
    "closed_latents",
    "compact",
    "compare",
    "cut_below",
    "failures",
    "gate_masks",
    "gated_layers",
    "harden",
    "layer_densities",
    "liveness",
    "masks",
    "register_liveness",
    "report",
    "set_gate_masks",
    "share_below",
    "share_of_links",
    "sparsify",
    "tickets",
    "weighted_mean",
]
