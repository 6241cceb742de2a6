"""Terms of the loss: likelihoods, the ELBO, objectives: regularising, factorising, supervised.

In: posteriors, samples and decoder outputs of a batch. Out: TFP distributions and scalars in nats.
May import TensorFlow, TFP and Keras (for its registry), and the rooms below.
"""

from sparsevae.objectives.ada_vae import AdaGVAE, AdaMLVAE, share_latents
from sparsevae.objectives.adversary import density_ratio, discriminator_loss, permute_latents
from sparsevae.objectives.annealed_vae import AnnealedVAE
from sparsevae.objectives.batch import Batch
from sparsevae.objectives.beta_tcvae import BetaTCVAE
from sparsevae.objectives.beta_vae import BetaVAE
from sparsevae.objectives.catalog import get, list
from sparsevae.objectives.dip_vae import DIPVAE, dip_penalty
from sparsevae.objectives.elbo import Terms, kl_per_latent, normal_posterior, standard_prior
from sparsevae.objectives.factor_vae import FactorVAE
from sparsevae.objectives.factorized_support import FactorizedSupport, hausdorff_support
from sparsevae.objectives.likelihoods import Bernoulli, Gaussian, Likelihood, get_likelihood
from sparsevae.objectives.objective import Context, Objective
from sparsevae.objectives.semi_supervised import SemiSupervised
from sparsevae.objectives.small_kernels import SmallKernels
from sparsevae.objectives.sparse_jacobian import SparseJacobian
from sparsevae.objectives.spike_and_slab import (
    SpikeAndSlab,
    slab_probability,
    spike_and_slab_penalty,
)
from sparsevae.objectives.supervision import supervised_penalty
from sparsevae.objectives.total_correlation import KLTerms, kl_terms

__all__ = [
    "DIPVAE",
    "AdaGVAE",
    "AdaMLVAE",
    "AnnealedVAE",
    "Batch",
    "Bernoulli",
    "BetaTCVAE",
    "BetaVAE",
    "Context",
    "FactorVAE",
    "FactorizedSupport",
    "Gaussian",
    "KLTerms",
    "Likelihood",
    "Objective",
    "SemiSupervised",
    "SmallKernels",
    "SparseJacobian",
    "SpikeAndSlab",
    "Terms",
    "density_ratio",
    "dip_penalty",
    "discriminator_loss",
    "get",
    "get_likelihood",
    "hausdorff_support",
    "kl_per_latent",
    "kl_terms",
    "list",
    "normal_posterior",
    "permute_latents",
    "share_latents",
    "slab_probability",
    "spike_and_slab_penalty",
    "standard_prior",
    "supervised_penalty",
]
