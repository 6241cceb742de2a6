"""Scores of representations.

In: codes `(n_samples, latent_dim)` and factors `(n_samples, n_factors)`, or encoder and data set.
Out: floats, or a flat dict of them. Dead latents follow one rule, `active_latents`.
May import: numpy, scipy, scikit-learn, tqdm; never Keras or TensorFlow.
"""

from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.evaluation import evaluate
from sparsevae.metrics.mutual_information_gap import mig

__all__ = ["active_latents", "evaluate", "mig"]
