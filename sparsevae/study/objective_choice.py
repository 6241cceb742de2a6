"""The objectives that a run may have, and which settings each of them looks at."""

from collections.abc import Mapping
from typing import Any

from sparsevae.study.controls import check_unused

OBJECTIVES = (
    "beta_vae",
    "annealed_vae",
    "factor_vae",
    "dip_vae",
    "beta_tcvae",
    "factorized_support",
    "small_kernels",
    "sparse_jacobian",
    "spike_and_slab",
    "ada_gvae",
    "ada_mlvae",
)
OF_PAIRS = ("ada_gvae", "ada_mlvae")
WITH_BETA = ("beta_vae", *OF_PAIRS)
SUPERVISION = ("none", "l2", "xent", "cov")


def check_objective_choice(settings: Any, defaults: Mapping[str, Any]) -> None:
    """Refuses settings that the objective does not look at.

    Raises:
        ValueError: naming the first one.
    """
    name = settings.objective
    if name not in WITH_BETA:
        hint = "whose weights are in `objective_options`"
        check_unused(settings, defaults, ["beta"], f"objective={name!r} ({hint})")
    elif settings.objective_options:
        raise ValueError(
            f"`objective_options` must be empty with objective={name!r}, which has `beta` alone. "
            f"Received: {settings.objective_options!r}"
        )
    if name == "spike_and_slab" and settings.model != "sparse_decoding":
        raise ValueError(
            "`model` must be 'sparse_decoding' with objective='spike_and_slab', a prior of the "
            f"mask that this decoder begins with. Received: model={settings.model!r}"
        )
    if name not in OF_PAIRS:
        check_unused(settings, defaults, ["n_changed"], f"objective={name!r}")
    if settings.supervision == "none":
        names = ["n_labels", "supervision_strength"]
        check_unused(settings, defaults, names, "supervision='none'")
    conditions = settings.training_conditions()
    weak = name in OF_PAIRS, settings.supervision != "none", bool(conditions)
    if sum(weak) > 1:
        raise ValueError(
            "Only one of pairs (objective='ada_gvae' or 'ada_mlvae'), `supervision`, and a "
            f"restricted training set can be had. Received: objective={name!r}, "
            f"supervision={settings.supervision!r}, restricted by {', '.join(conditions) or 'none'}"
        )
