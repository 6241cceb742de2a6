"""Objectives by name."""

import inspect
from typing import Any

from sparsevae.checks import check_choice
from sparsevae.objectives.ada_vae import AdaGVAE, AdaMLVAE
from sparsevae.objectives.annealed_vae import AnnealedVAE
from sparsevae.objectives.beta_tcvae import BetaTCVAE
from sparsevae.objectives.beta_vae import BetaVAE
from sparsevae.objectives.dip_vae import DIPVAE
from sparsevae.objectives.factor_vae import FactorVAE
from sparsevae.objectives.factorized_support import FactorizedSupport
from sparsevae.objectives.objective import Objective
from sparsevae.objectives.semi_supervised import SemiSupervised
from sparsevae.objectives.small_kernels import SmallKernels
from sparsevae.objectives.sparse_jacobian import SparseJacobian
from sparsevae.objectives.spike_and_slab import SpikeAndSlab

OBJECTIVES: dict[str, type[Objective]] = {
    "beta_vae": BetaVAE,
    "annealed_vae": AnnealedVAE,
    "factor_vae": FactorVAE,
    "dip_vae": DIPVAE,
    "beta_tcvae": BetaTCVAE,
    "factorized_support": FactorizedSupport,
    "ada_gvae": AdaGVAE,
    "ada_mlvae": AdaMLVAE,
    "semi_supervised": SemiSupervised,
    "small_kernels": SmallKernels,
    "sparse_jacobian": SparseJacobian,
    "spike_and_slab": SpikeAndSlab,
}


def list() -> tuple[str, ...]:
    """Names of all objectives, which `get` and the commands take."""
    return tuple(OBJECTIVES)


def get(name: str, **options: Any) -> Objective:
    """An objective by its name, with the arguments of its class.

    Raises:
        ValueError: for an unknown name, or a value out of range.
        TypeError: for an argument that the class does not have.
    """
    check_choice("objective", name, OBJECTIVES)
    known = {*inspect.signature(OBJECTIVES[name]).parameters} | {"name"}
    if unknown := [option for option in options if option not in known]:
        raise TypeError(
            f"Arguments of {name} are {', '.join(sorted(known - {'kwargs'}))}. "
            f"Received: {unknown[0]!r}"
        )
    return OBJECTIVES[name](**options)
