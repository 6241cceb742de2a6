"""Separated attribute predictability (SAP)."""

import numpy as np

from sparsevae.metrics.validation import check_split, varying_factors

PENALTY = 0.01  # C of the support vector machines
_MIN_VARIANCE = 1e-12
_MAX_STEPS = 100
_TOLERANCE = 1e-9


def sap(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    continuous: bool = False,
) -> float:
    """SAP: mean over factors of the gap between the two latents that predict each best.

    How well a single latent predicts a factor is `sap_matrix`. Unchanged when latents are permuted,
    negated or joined by dead ones. Rescaling changes the discrete form: the classifiers are
    regularized, so the same perfect code scores .25 at a standard deviation of 1 or more and .18 at
    .1. Latents may serve two factors unpunished.

    Args:
        codes: Float array `(n_train, latent_dim)`.
        factors: Integer array `(n_train, n_factors)`, class indices from 0; finite numbers if
            `continuous`. One-valued factors are left out.
        test_codes: Float array `(n_test, latent_dim)`.
        test_factors: Array `(n_test, n_factors)`.
        continuous: Whether factors are numbers, predicted by a straight line on the training
            samples, instead of classes.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies, near 0 for independent codes.
        With one latent the runner-up predicts nothing (0). One line cannot tell many classes
        apart, so a perfect code scores about .24 on dSprites.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a class is negative or not whole, a number
            or code is not finite, or an array is empty or not two-dimensional.

    References:
        Kumar, Sattigeri & Balakrishnan 2018, Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations, 1711.00848, section 3; classifiers as in disentanglement_lib.
    """
    matrix = sap_matrix(codes, factors, test_codes, test_factors, continuous=continuous)
    matrix = matrix[:, varying_factors(np.asarray(factors))]
    if not matrix.shape[1]:
        return 0.0
    ranked = np.sort(np.vstack([np.zeros_like(matrix[:1]), matrix]), axis=0)
    return float(np.mean(ranked[-1] - ranked[-2]))


def sap_matrix(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    continuous: bool = False,
) -> np.ndarray:
    """How well each latent alone predicts each factor.

    Args:
        codes, factors, test_codes, test_factors, continuous: See `sap`.

    Returns:
        Float array `(latent_dim, n_factors)` in [0, 1]. Discrete: test accuracy of a linear support
        vector machine (squared hinge, C = 0.01, one class against the rest, balanced weights).
        Continuous: squared correlation, 0 for variances up to 1e-12. Dead latents have a row of 0
        and one-valued factors a column.

    Raises:
        TypeError, ValueError: as `sap`.
    """
    codes, factors, test_codes, test_factors = check_split(
        codes, factors, test_codes, test_factors, continuous=continuous
    )
    varied = varying_factors(factors)
    alive = np.ptp(codes, axis=0) > 0
    matrix = np.zeros((codes.shape[1], factors.shape[1]))
    if not varied.any() or not alive.any():
        return matrix
    codes, test_codes = codes[:, alive], test_codes[:, alive]
    factors, test_factors = factors[:, varied], test_factors[:, varied]
    if continuous:
        found = _squared_correlations(codes, factors)
    else:
        found = _svm_accuracies(codes, factors, test_codes, test_factors)
    matrix[np.ix_(alive, varied)] = found
    return matrix


def _squared_correlations(codes, factors):
    codes = codes.astype(np.float64)
    codes, factors = codes - codes.mean(axis=0), factors - factors.mean(axis=0)
    covariance = codes.T @ factors
    variance, of_factors = np.square(codes).sum(axis=0), np.square(factors).sum(axis=0)
    dead = variance / (len(codes) - 1) <= _MIN_VARIANCE
    variance[dead] = 1.0
    squared = np.square(covariance) / (variance[:, None] * of_factors)
    squared[dead] = 0.0
    return np.minimum(squared, 1.0)


def _svm_accuracies(codes, factors, test_codes, test_factors):
    """Test accuracy `(latent_dim, n_factors)` of one machine per latent, factor and class."""
    labels, classes = zip(*(np.unique(f, return_inverse=True) for f in factors.T), strict=True)
    n_values = np.array([len(values) for values in labels])
    first = np.cumsum(n_values) - n_values
    # Classes of all factors are numbered through: one problem "this class or not" each.
    classes = np.stack(classes) + first[:, None]
    size = np.bincount(classes.ravel())
    n_classes = np.repeat(n_values, n_values)
    balanced = len(codes) / (n_classes * size)
    rest = np.where(n_classes == 2, len(codes) / (2.0 * (len(codes) - size)), 1.0)
    accuracy = np.empty((codes.shape[1], len(labels)))
    for i, (code, test_code) in enumerate(zip(codes.T, test_codes.T, strict=True)):
        problems = _Problems(code.astype(np.float64), classes, size, balanced, rest)
        slope, intercept = problems.solve()
        decision = test_code.astype(np.float64)[:, None] * slope + intercept
        for k, (values, start) in enumerate(zip(labels, first, strict=True)):
            named = values[decision[:, start : start + len(values)].argmax(axis=1)]
            accuracy[i, k] = np.mean(named == test_factors[:, k])
    return accuracy


class _Problems:
    """All machines on one latent: minimize over slope w and intercept b of each

    (w^2 + b^2) / 2 + C sum_i weight_i max(0, 1 - y_i (w x_i + b))^2.

    With the samples sorted, those inside the margin are the first or the last so many, so sums
    over them are differences of cumulative sums: a Newton step costs two binary searches.

    Args:
        code: Float64 array `(n,)`.
        classes: Integer array `(n_factors, n)`, each factor with class numbers of its own.
        size: Samples of each class, `(n_classes,)`.
        weight: Weight of the samples of each class, where they are y = +1.
        rest: Weight of all others, y = -1.
    """

    def __init__(self, code, classes, size, weight, rest):
        order = np.argsort(code, kind="stable")
        self.n, self.code = len(code), code[order]
        self.weights = np.stack([weight, rest])
        # Samples of each class side by side, sorted within it; `keys` finds places among them.
        smallest = np.min_scalar_type(len(size))
        grouped = np.argsort(classes[:, order].astype(smallest), axis=1, kind="stable")
        self.start = np.cumsum(size) - size
        number = np.arange(len(size)) * (self.n + 1)
        self.keys = np.repeat(number, size) + grouped.ravel()
        self.number = number
        self.sums = _cumulative(self.code)
        self.class_sums = _cumulative(self.code[grouped.ravel()])
        self.class_totals = self.class_sums[:, self.start + size] - self.class_sums[:, self.start]

    def solve(self):
        """Slopes and intercepts `(n_classes,)` by Newton's method with halved steps."""
        point = np.zeros((2, len(self.number)))
        value, gradient, hessian = self.expand(point)
        for _ in range(_MAX_STEPS):
            step = -np.linalg.solve(hessian, gradient.T[..., None])[..., 0].T
            going = np.abs(step).max(axis=0) > _TOLERANCE * (1 + np.abs(point).max(axis=0))
            if not going.any():
                break
            length = going.astype(float)
            for _ in range(30):
                new_value, new_gradient, new_hessian = self.expand(point + length * step)
                worse = new_value > value
                if not worse.any():
                    break
                length[worse] /= 2
            point = point + length * step
            value, gradient, hessian = new_value, new_gradient, new_hessian
        return point

    def expand(self, point):
        """Value `(n_classes,)`, gradient `(2, ...)` and Hessian `(..., 2, 2)` at a point."""
        slope, intercept = point
        value = (slope**2 + intercept**2) / 2
        gradient = point.copy()
        hessian = np.broadcast_to(np.eye(2), (len(slope), 2, 2)).copy()
        for sign, weight in zip((1, -1), self.weights, strict=True):
            n, x, xx = self.inside_margin(slope, intercept, sign)
            price = PENALTY * weight
            miss = intercept - sign  # of a sample: slope * x + miss
            value += price * (slope**2 * xx + 2 * slope * miss * x + miss**2 * n)
            gradient += 2 * price * np.stack([slope * xx + miss * x, slope * x + miss * n])
            moments = np.stack([np.stack([xx, x], axis=-1), np.stack([x, n], axis=-1)], axis=-1)
            hessian += (2 * price)[:, None, None] * moments
        return value, gradient, hessian

    def inside_margin(self, slope, intercept, sign):
        """Sums of 1, x and x^2, `(3, n_classes)`, over samples of y = sign with y z < 1."""
        below = sign * slope >= 0  # the margin's side of the edge, where slope * x + b = sign
        flat = np.where(sign * intercept < 1, np.inf, -np.inf)  # all or none of the samples
        edge = np.divide(sign - intercept, slope, out=flat, where=slope != 0)
        rank = np.searchsorted(self.code, edge)
        place = np.searchsorted(self.keys, self.number + rank)
        of_class = self.class_sums[:, place] - self.class_sums[:, self.start]
        first = of_class if sign > 0 else self.sums[:, rank] - of_class
        total = self.class_totals if sign > 0 else self.sums[:, -1:] - self.class_totals
        return np.where(below, first, total - first)


def _cumulative(x):
    """Sums of 1, x and x^2 over the first 0, 1, ..., n entries: `(3, n + 1)`."""
    sums = np.zeros((3, len(x) + 1))
    np.cumsum(np.stack([np.ones_like(x), x, np.square(x)]), axis=1, out=sums[:, 1:])
    return sums
