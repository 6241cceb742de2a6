"""What a set holds, in words and as a table."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import TYPE_CHECKING

from sparsevae.data import catalog
from sparsevae.data.ground_truth import FactorData, GroundTruthData
from sparsevae.data.image_data import ImageData
from sparsevae.data.loading import load
from sparsevae.data.variants import split_name

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = ("page", "license", "citation")


@dataclasses.dataclass(frozen=True)
class Description:
    """What `describe` found; `print` shows it.

    Attributes:
        data: The set.
        about: What the catalog knows of it, of "page", "license" and "citation".
    """

    data: ImageData
    about: dict[str, str]

    @functools.cached_property
    def factors(self) -> pd.DataFrame:
        """A row a factor: name, size, first and last value; no rows if the set has no factors."""
        import pandas as pd

        rows = []
        if isinstance(self.data, FactorData):
            space = self.data.factor_space
            for name, size, values in zip(space.names, space.sizes, space.values, strict=True):
                rows.append((name, size, values[0], values[-1]))
        return pd.DataFrame(rows, columns=["factor", "size", "first", "last"])

    def __str__(self) -> str:
        data = self.data
        shape = " x ".join(map(str, data.image_shape))
        lines = [
            f"{data.name}, source {data.source!r}",
            *([f"  variant   {data.nuisance.kind}"] if hasattr(data, "nuisance") else []),
            f"  images    {len(data):,} of {shape} (height x width x channels)",
            f"  factors   {self._about_factors()}",
        ]
        if len(self.factors):
            table = self.factors.to_string(index=False, float_format="{:.4g}".format)
            lines += [f"    {line}" for line in table.splitlines()]
        return "\n".join([*lines, *(f"  {key:9} {text}" for key, text in self.about.items())])

    def _about_factors(self) -> str:
        if not isinstance(self.data, FactorData):
            return "not known; scores that need them cannot be computed"
        if isinstance(self.data, GroundTruthData):
            return "one image for each combination"
        return f"not one image for each of {len(self.data.factor_space):,} combinations"


def describe(data: ImageData | str | os.PathLike) -> Description:
    """What a set holds: images, factors with their values, where it comes from.

    Args:
        data: A set, or what `load` takes as its name.

    Returns:
        The description; `plots.plot_grid(description.data)` is its picture.

    Raises:
        As `load`.
    """
    if not isinstance(data, ImageData):
        data = load(data)
    base = data.name
    while (parts := split_name(base))[0]:
        base = parts[1]
    known = vars(catalog._ENTRIES[base]) if base in catalog._ENTRIES else {}
    return Description(data, {key: known[key] for key in _ABOUT if known.get(key)})
