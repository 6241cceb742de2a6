"""The images of a run: its data set, and which part of it training sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparsevae import data as data_sets
from sparsevae.data import FactorDistribution, ImageData

if TYPE_CHECKING:
    from sparsevae.study.settings import RunSettings

_VALUES = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def load_data(settings: RunSettings, source: str | None = None) -> ImageData:
    """The whole data set of a run; `source` says where from if it is known from a record."""
    return data_sets.load(
        settings.data,
        settings.data_dir,
        source or settings.data_source,
        factors=settings.factors,
        image_size=settings.image_size,
        background=settings.background,
    )


def training_conditions(settings: RunSettings) -> dict:
    """Arguments of `FactorDistribution` for a run, empty if it trains on the whole set.

    Raises:
        ValueError: if `correlated`, `confounder`, `withheld` or `only` is not written as it should
            be. Names and ranges of factors are not known here.
    """
    conditions = {
        "correlated": {
            _pair(names): _sigma("correlated", names, sigma)
            for names, sigma in settings.correlated.items()
        },
        "confounder": {
            name: _sigma("confounder", name, sigma) for name, sigma in settings.confounder.items()
        },
        "withheld": [_combination("withheld", text) for text in settings.withheld],
        "only": _combination("only", settings.only) if settings.only else None,
    }
    return {name: condition for name, condition in conditions.items() if condition}


def training_distribution(settings: RunSettings, data: ImageData) -> FactorDistribution | None:
    """Which images a run trains on, and how often; None for all alike.

    Raises:
        ValueError: if the set has no factors, a factor is unknown, a value is out of range, or no
            image is left.
    """
    conditions = training_conditions(settings)
    if not conditions:
        return None
    if not hasattr(data, "factors"):
        raise ValueError(
            f"`{next(iter(conditions))}` needs a set with factors, and {data.name} has none; "
            "`factors` gives it some"
        )
    return FactorDistribution(data, **conditions)


def _pair(names: str) -> tuple[str, str]:
    pair = tuple(name.strip() for name in names.split(","))
    if len(pair) != 2 or not all(pair):
        raise ValueError(
            f"`correlated` must name two factors, as 'shape,scale'. Received: {names!r}"
        )
    return pair


def _sigma(field: str, name: str, sigma: float) -> float:
    if not 0 < sigma < float("inf"):  # written so that NaN fails too
        raise ValueError(f"`{field}` must be finite and above 0. Received: {sigma!r} for {name}")
    return sigma


def _combination(field: str, text: str) -> Mapping[str, list[int]]:
    """Factors and their values from words such as "shape=2 posX=0,4,16-31"."""
    combination = {}
    for part in text.split():
        name, _, values = part.partition("=")
        ranges = [_VALUES.fullmatch(value) for value in values.split(",")]
        if not name or not all(ranges) or name in combination:
            raise ValueError(
                f"`{field}` must be factors and their values, each factor once, as "
                f"'shape=2 posX=0,4,16-31'. Received: {part!r} in {text!r}"
            )
        bounds = [(int(first), int(last or first)) for first, last in (r.groups() for r in ranges)]
        combination[name] = [v for first, last in bounds for v in range(first, last + 1)]
    if not combination:
        raise ValueError(f"`{field}` must name factors. Received: {text!r}")
    return combination
