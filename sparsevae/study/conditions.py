"""Which part of a set training sees: what settings say of it in words."""

import re
from collections.abc import Mapping, Sequence

_VALUES = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def training_conditions(
    correlated: Mapping[str, float],
    confounder: Mapping[str, float],
    withheld: Sequence[str],
    only: str,
) -> dict:
    """Arguments of `FactorDistribution`, from settings of a run; empty for the whole set.

    Raises:
        ValueError: if `correlated`, `confounder`, `withheld` or `only` is not written as it should
            be. Names and ranges of factors are not known here.
    """
    conditions = {
        "correlated": {
            _pair(names): _sigma("correlated", names, sigma) for names, sigma in correlated.items()
        },
        "confounder": {
            name: _sigma("confounder", name, sigma) for name, sigma in confounder.items()
        },
        "withheld": [_combination("withheld", text) for text in withheld],
        "only": _combination("only", only) if only else None,
    }
    return {name: condition for name, condition in conditions.items() if condition}


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
