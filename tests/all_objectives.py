"""Each public objective, small, with arguments that are not the defaults."""

from sparsevae import objectives as o

MAKERS = {
    "beta_vae": lambda: o.BetaVAE(4.0),
    "annealed_vae": lambda: o.AnnealedVAE(3.0, 50.0, 20),
    "factor_vae": lambda: o.FactorVAE(5.0, 16, 2, 3),
    "dip_vae": lambda: o.DIPVAE(2.0, 3.0, "ii"),
    "dip_vae_i": lambda: o.DIPVAE(2.0),
    "beta_tcvae": lambda: o.BetaTCVAE(3.0, 0.5, 2.0),
    "beta_tcvae_weighted": lambda: o.BetaTCVAE(3.0, estimator="weighted"),
    "factorized_support": lambda: o.FactorizedSupport(2.0, 0.5, 2, 5),
    "ada_gvae": lambda: o.AdaGVAE(2.0),
    "ada_mlvae": lambda: o.AdaMLVAE(2.0),
    "small_kernels": lambda: o.SmallKernels(o.BetaVAE(2.0), 0.1),
    "sparse_jacobian": lambda: o.SparseJacobian(o.BetaVAE(2.0), 0.1, 2, 5),
    "spike_and_slab": lambda: o.SpikeAndSlab(o.BetaVAE(2.0), 20.0, 0.5, 2.0, 3.0),
    "semi_supervised": lambda: o.SemiSupervised((3, 4), o.FactorVAE(5.0, 16, 2), 2.0, "xent"),
    "semi_supervised_pairs": lambda: o.SemiSupervised((3, 4), o.AdaGVAE(2.0), 2.0),
}
