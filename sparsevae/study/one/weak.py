"""The objective of a run, and the pairs or labels that it is trained with, from its settings."""

import inspect

import numpy as np

from sparsevae import objectives
from sparsevae.data import FewLabels, ImageData, Pairs, draw_labels
from sparsevae.objectives import Objective
from sparsevae.study.objective_choice import OF_PAIRS, WITH_BETA
from sparsevae.study.one.loading import training_distribution
from sparsevae.study.settings import RunSettings

_NO_OPTIONS = {"kwargs", "seed", "objective"}


def make_objective(settings: RunSettings, data: ImageData) -> Objective:
    """The objective; its own random numbers follow from the run's seed.

    Raises:
        ValueError: for an unknown option, a value out of range, or a set without factors where
            labels are asked for.
    """
    kind = objectives.catalog.OBJECTIVES[settings.objective]
    known = inspect.signature(kind).parameters
    options = {"beta": settings.beta} if settings.objective in WITH_BETA else {}
    for name, value in settings.objective_options.items():
        if name not in known or name in _NO_OPTIONS:
            own = ", ".join(sorted({*known} - _NO_OPTIONS))
            raise ValueError(
                f"`objective_options` of {settings.objective} must be some of {own}. "
                f"Received: {name!r}"
            )
        whole = isinstance(known[name].default, int) and float(value).is_integer()
        options[name] = int(value) if whole else value
    if "seed" in known:
        options["seed"] = settings.seed
    made = kind(**options)
    if settings.supervision == "none":
        return made
    _check_factors(data, "supervision")
    return objectives.SemiSupervised(
        data.factor_sizes, made, settings.supervision_strength, settings.supervision
    )


def training_draws(settings: RunSettings, data: ImageData):
    """What batches are drawn by, for `data.as_tf_dataset(distribution=...)`.

    Raises:
        ValueError: if the set has no factors, or not one image of each combination.
    """
    if settings.objective in OF_PAIRS:
        _check_factors(data, "objective")
        return Pairs(data, settings.n_changed or None)
    if settings.supervision != "none":
        _check_factors(data, "supervision")
        n_labels = min(settings.n_labels, len(data))
        return FewLabels(data, draw_labels(data, n_labels, np.random.default_rng(settings.seed)))
    return training_distribution(settings, data)


def _check_factors(data, field):
    if not hasattr(data, "factors"):
        raise ValueError(
            f"`{field}` needs a set with factors, and {data.name} has none; `factors` gives it some"
        )
