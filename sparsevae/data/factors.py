"""The grid of factors behind a data set, and its numbering."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.data.checks import check_indices, check_integers, check_rng

KINDS = ("ordered", "cyclic", "categorical")


@dataclasses.dataclass(frozen=True)
class FactorSpace:
    """All combinations of a few factors, numbered with the last factor running fastest.

    A factor takes the integers 0 ... size - 1; `values` says what they stand for. All arithmetic is
    on integers, so no number is lost to rounding. `len` is the number of combinations.

    Attributes:
        names: Distinct names, one a factor.
        sizes: Number of values of each factor, at least 1.
        values: For each factor the numbers its integers stand for; 0 ... size - 1 if not given.
        kinds: For each factor `"ordered"`, `"cyclic"` (the last value is beside the first, or its
            picture) or `"categorical"`: which values are neighbors. All ordered if not given.

    Raises:
        TypeError: if names are not strings or sizes not integers.
        ValueError: if counts disagree, names repeat, or there are 2**63 combinations or more.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    values: tuple[Sequence[float], ...] | None = None
    kinds: tuple[str, ...] | None = None

    def __post_init__(self):
        names = tuple(self.names)
        if isinstance(self.names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"`names` must be a list of strings. Received: names={self.names!r}")
        sizes = tuple(check_integer("sizes", size, minimum=1) for size in self.sizes)
        if math.prod(sizes) >= 2**63:
            raise ValueError(f"`sizes` must multiply to less than 2**63. Received: sizes={sizes}")
        if self.values is None:
            values = tuple(map(range, sizes))
        else:
            values = tuple(tuple(float(number) for number in row) for row in self.values)
        if not names or len(set(names)) != len(names):
            raise ValueError(f"`names` must be distinct, at least one. Received: names={names}")
        if len(sizes) != len(names):
            raise ValueError(
                f"`sizes` must hold one size a name. Received: sizes={sizes} for names={names}"
            )
        if tuple(map(len, values)) != sizes:
            raise ValueError(
                "`values` must hold as many numbers a factor as `sizes` says. "
                f"Received: lengths {tuple(map(len, values))} for sizes={sizes}"
            )
        kinds = ("ordered",) * len(names) if self.kinds is None else tuple(self.kinds)
        if len(kinds) != len(names):
            raise ValueError(
                f"`kinds` must hold one kind a name. Received: kinds={kinds} for names={names}"
            )
        for kind in kinds:
            check_choice("kinds", kind, KINDS)
        for field in ("names", "sizes", "values", "kinds"):
            object.__setattr__(self, field, locals()[field])

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def index(self, factors: np.ndarray) -> np.ndarray:
        """Number of each combination.

        Args:
            factors: Integer array `(n, n_factors)`, factor k in 0 ... sizes[k] - 1.

        Returns:
            int64 array `(n,)`, values in 0 ... len - 1.

        Raises:
            TypeError: if `factors` does not hold integers.
            ValueError: if its shape is wrong or a value is out of range.
        """
        factors = check_integers("factors", factors)
        if factors.ndim != 2 or factors.shape[1] != len(self.sizes):
            raise ValueError(
                f"`factors` must have shape (n, {len(self.sizes)}), one column each of "
                f"{', '.join(self.names)}. Received: shape {factors.shape}"
            )
        wrong = np.argwhere((factors < 0) | (factors >= self.sizes))
        if len(wrong):
            row, k = wrong[0]
            raise ValueError(
                f"`factors` must have {self.names[k]} in 0 ... {self.sizes[k] - 1}. "
                f"Received: {self.names[k]}={factors[row, k]} in row {row}"
            )
        return np.ravel_multi_index(tuple(factors.T.astype(np.int64)), self.sizes)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Combination of each number: the inverse of `index`.

        Args:
            indices: Integer array `(n,)`, values in 0 ... len - 1.

        Returns:
            int64 array `(n, n_factors)`.

        Raises:
            TypeError: if `indices` does not hold integers.
            ValueError: if it is not one-dimensional or a value is out of range.
        """
        return np.stack(np.unravel_index(self.checked(indices), self.sizes), axis=1)

    def checked(self, indices: np.ndarray) -> np.ndarray:
        """`indices` as int64 array `(n,)`, if every value lies in 0 ... len - 1.

        Raises:
            TypeError: if `indices` does not hold integers.
            ValueError: if it is not one-dimensional or a value is out of range.
        """
        return check_indices(indices, len(self))

    def sample(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        """Independent, uniform combinations; fixing a factor does not change the others.

        Args:
            n: Number of combinations, at least 1.
            rng: NumPy generator; the draw advances it.
            fixed: Factors held at one value, such as `{"shape": 2}`.

        Returns:
            int64 array `(n, n_factors)`.

        Raises:
            TypeError: if `n` or a fixed value is not an integer, or `rng` not a generator.
            ValueError: if `n` is below 1, a name is unknown or a fixed value is out of range.
        """
        check_rng(rng)
        factors = rng.integers(self.sizes, size=(check_integer("n", n, 1), len(self.sizes)))
        for k, value in self.fixed_columns(fixed).items():
            factors[:, k] = value
        return factors

    def fixed_columns(self, fixed: Mapping[str, int] | None) -> dict[int, int]:
        """Column and value of each factor that `fixed` names, as in `sample`.

        Raises:
            TypeError: if a value is not an integer.
            ValueError: if a name is unknown or a value is out of range.
        """
        columns = {}
        for name, value in (fixed or {}).items():
            check_choice("fixed", name, self.names)
            k = self.names.index(name)
            if check_integer(f"fixed[{name!r}]", value, minimum=0) >= self.sizes[k]:
                raise ValueError(
                    f"`fixed` must have {name} in 0 ... {self.sizes[k] - 1}. "
                    f"Received: {name}={value!r}"
                )
            columns[k] = value
        return columns
