"""Which combinations of factors training sees, and how often."""

from collections.abc import Iterable, Mapping

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.data.checks import check_rng
from sparsevae.data.ground_truth import GroundTruthData

Combination = Mapping[str, int | Iterable[int]]


class FactorDistribution:
    """A weight for every image: some factors correlated, some combinations withheld.

    Hand it to `data.as_tf_dataset(distribution=...)`; scores go on drawing from the whole data
    set. What is given multiplies: the weight of an image is the product over all correlations, and
    0 where it is withheld or left out by `only`.

    A correlation of strength sigma gives a pair of values the weight exp(-(a - b)^2 / (2 sigma^2)),
    with a and b the two factors' values spread evenly over [0, 1]. The field uses sigma from 0.1
    (nearly one line of combinations) to 0.7; infinity is no correlation. Values keep their order
    as numbers, also those of factors without one, such as a shape.

    Args:
        data: Data set with factors.
        correlated: Pairs of factors and their sigma, as `{("shape", "scale"): 0.2}`.
        confounder: Factors that are each correlated with all others, and their sigma.
        withheld: Combinations that are never drawn. Each is a dict from factor to value or values,
            as `{"shape": 2, "posX": range(16, 32)}`; an image is withheld if all its entries hold.
        only: Values that are drawn, by factor; factors not named keep all of theirs.

    Raises:
        TypeError: if a value is not an integer.
        ValueError: if a factor is unknown, a value out of range, a sigma not above 0, or no image
            is left.

    References:
        Träuble et al. 2021, On Disentangled Representations Learned From Correlated Data,
        2006.07886, section 3 (pairs); Roth et al. 2023, Disentanglement of Correlated Factors via
        Hausdorff Factorized Support, 2210.07347, section 4 (one factor with all others).
    """

    def __init__(
        self,
        data: GroundTruthData,
        *,
        correlated: Mapping[tuple[str, str], float] | None = None,
        confounder: Mapping[str, float] | None = None,
        withheld: Iterable[Combination] = (),
        only: Combination | None = None,
    ) -> None:
        self._names, self._sizes = data.factor_names, data.factor_sizes
        factors = data.factors(np.arange(len(data)))
        weights = np.ones(len(data))
        pairs = [*(correlated or {}).items()]
        for name, sigma in (confounder or {}).items():
            self._column(name)
            pairs += [((name, other), sigma) for other in self._names if other != name]
        for (first, second), sigma in pairs:
            weights *= self._correlation(factors, first, second, sigma)
        for combination in withheld:
            weights[self._matches(factors, combination)] = 0
        if only:
            weights[~self._matches(factors, only)] = 0
        self._cumulative = np.cumsum(weights)
        if not self._cumulative[-1] > 0:
            raise ValueError(
                "`withheld` and `only` must leave at least one image. "
                f"Received: withheld={withheld!r}, only={only!r}"
            )

    def __len__(self) -> int:
        return len(self._cumulative)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Image numbers `(n,)`, int64, each drawn in proportion to its weight."""
        check_rng(rng)
        points = rng.random(check_integer("n", n, minimum=1)) * self._cumulative[-1]
        # The first image whose cumulative weight exceeds the point: never one of weight 0.
        numbers = np.searchsorted(self._cumulative, points, side="right")
        return np.minimum(numbers, self._last)

    def probabilities(self) -> np.ndarray:
        """Float array `(n_images,)`: the chance of each image, summing to 1."""
        return np.diff(self._cumulative, prepend=0.0) / self._cumulative[-1]

    @property
    def _last(self) -> int:
        """The last image of weight above 0: rounding may push a point past it."""
        return int(np.searchsorted(self._cumulative, self._cumulative[-1], side="left"))

    def _column(self, name: str) -> int:
        check_choice("factor", name, self._names)
        return self._names.index(name)

    def _correlation(self, factors, first, second, sigma) -> np.ndarray:
        if not sigma > 0:  # written so that NaN fails too
            raise ValueError(
                f"`sigma` of {first} and {second} must be above 0. Received: sigma={sigma!r}"
            )
        a, b = self._column(first), self._column(second)
        if a == b:
            raise ValueError(f"`correlated` needs two factors. Received: {first!r} twice")
        grids = [np.linspace(0, 1, self._sizes[k]) for k in (a, b)]
        table = np.exp(-np.square(grids[0][:, None] - grids[1]) / (2 * sigma**2))
        return table[factors[:, a], factors[:, b]]

    def _matches(self, factors, combination) -> np.ndarray:
        """Which images have every factor of the combination at one of its values."""
        if not combination:
            raise ValueError("`withheld` must name factors. Received: an empty combination")
        matches = np.ones(len(factors), bool)
        for name, values in combination.items():
            k = self._column(name)
            wanted = np.zeros(self._sizes[k], bool)
            for value in [values] if np.ndim(values) == 0 else values:
                if check_integer(name, value, minimum=0) >= self._sizes[k]:
                    raise ValueError(
                        f"`{name}` must lie in 0 ... {self._sizes[k] - 1}. Received: {value!r}"
                    )
                wanted[value] = True
            matches &= wanted[factors[:, k]]
        return matches
