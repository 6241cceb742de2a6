"""Scores of representations.

In: codes `(n_samples, latent_dim)` and factors `(n_samples, n_factors)`, or encoder and data set.
Out: floats, small dataclasses of them, or a flat dict. Two rules hold throughout: for dead latents
(`active_latents`) and for one-valued factors (`validation.varying_factors`).
May import: numpy, scipy, scikit-learn, tqdm; never Keras or TensorFlow.
"""

from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.beta_vae import beta_vae_from_pairs, beta_vae_score
from sparsevae.metrics.dci import dci, dci_from_importance
from sparsevae.metrics.dci_es import dci_es
from sparsevae.metrics.downstream import downstream, unfairness, without_best_latents
from sparsevae.metrics.evaluation import evaluate
from sparsevae.metrics.explicitness import explicitness
from sparsevae.metrics.factor_vae import factor_vae_from_batches, factor_vae_score
from sparsevae.metrics.infomec import infomec
from sparsevae.metrics.information_gaps import dcimig, jemmig, mig_sup
from sparsevae.metrics.irs import irs
from sparsevae.metrics.med import med
from sparsevae.metrics.modularity import modularity
from sparsevae.metrics.mutual_information_gap import mig
from sparsevae.metrics.sap import sap, sap_matrix
from sparsevae.metrics.udr import udr
from sparsevae.metrics.unified import merge_thresholds, precision_curve, unified_scores
from sparsevae.metrics.unsupervised import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)

__all__ = [
    "active_latents",
    "beta_vae_from_pairs",
    "beta_vae_score",
    "dci",
    "dci_es",
    "dci_from_importance",
    "dcimig",
    "downstream",
    "evaluate",
    "explicitness",
    "factor_vae_from_batches",
    "factor_vae_score",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "infomec",
    "irs",
    "jemmig",
    "med",
    "merge_thresholds",
    "mig",
    "mig_sup",
    "modularity",
    "mutual_information_score",
    "precision_curve",
    "sap",
    "sap_matrix",
    "udr",
    "unfairness",
    "unified_scores",
    "without_best_latents",
]
