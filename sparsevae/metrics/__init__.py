"""Scores of representations.

In: codes `(n_samples, latent_dim)` and factors `(n_samples, n_factors)`, or encoder and data set.
Out: floats, small dataclasses of them, or a flat dict. Two rules hold throughout: for dead latents
(`active_latents`) and for one-valued factors (`validation.varying_factors`).
May import: numpy, scipy, scikit-learn, tqdm; never Keras or TensorFlow.
"""

from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.evaluation import evaluate
from sparsevae.metrics.scores.beta_vae import beta_vae_from_pairs, beta_vae_score
from sparsevae.metrics.scores.dci import dci, dci_from_importance
from sparsevae.metrics.scores.dci_es import dci_es
from sparsevae.metrics.scores.downstream import downstream, unfairness, without_best_latents
from sparsevae.metrics.scores.explicitness import explicitness
from sparsevae.metrics.scores.factor_vae import factor_vae_from_batches, factor_vae_score
from sparsevae.metrics.scores.infomec import infomec
from sparsevae.metrics.scores.infomec_published import infomec_published
from sparsevae.metrics.scores.information_gaps import dcimig, jemmig, mig_sup
from sparsevae.metrics.scores.irs import irs
from sparsevae.metrics.scores.med import med
from sparsevae.metrics.scores.modularity import modularity
from sparsevae.metrics.scores.mutual_information_gap import mig
from sparsevae.metrics.scores.sap import sap, sap_matrix
from sparsevae.metrics.scores.udr import udr
from sparsevae.metrics.scores.unified import merge_thresholds, precision_curve, unified_scores
from sparsevae.metrics.scores.unsupervised import (
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
    "infomec_published",
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
