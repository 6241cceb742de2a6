"""Terms of the loss: likelihoods, the ELBO, objectives of the beta-VAE family.

In: posteriors, samples and decoder outputs of a batch. Out: TFP distributions and scalars in nats.
May import TensorFlow, TFP and Keras (for its registry), and the rooms below.
"""

from sparsevae.objectives.batch import Batch
from sparsevae.objectives.beta_vae import BetaVAE
from sparsevae.objectives.elbo import Terms, kl_per_latent, normal_posterior, standard_prior
from sparsevae.objectives.likelihoods import Bernoulli, Gaussian, Likelihood, get_likelihood
from sparsevae.objectives.objective import Context, Objective

__all__ = [
    "Batch",
    "Bernoulli",
    "BetaVAE",
    "Context",
    "Gaussian",
    "Likelihood",
    "Objective",
    "Terms",
    "get_likelihood",
    "kl_per_latent",
    "normal_posterior",
    "standard_prior",
]
