"""DCI's regressors, of factors that are numbers: lasso and random forests."""

import numpy as np

ALPHA = 0.02  # of the lasso, on standardized codes and factors
N_TREES = 10
MAX_DEPTHS = range(2, 13)


def _lasso(codes, factor, seed):
    from sklearn.linear_model import Lasso  # loaded only where used: half a second

    model = Lasso(ALPHA).fit(codes, factor)
    return model, np.abs(model.coef_)


def _random_forest(codes, factor, seed):
    """A forest of the depth that tells a ninth of the samples best, then fitted to all."""
    from sklearn.ensemble import RandomForestRegressor  # as above
    from sklearn.model_selection import GridSearchCV, ShuffleSplit

    search = GridSearchCV(
        RandomForestRegressor(N_TREES, random_state=seed),
        {"max_depth": list(MAX_DEPTHS)},
        scoring="neg_mean_squared_error",
        cv=ShuffleSplit(1, test_size=1 / 9, random_state=seed),
    ).fit(codes, factor)
    return search, search.best_estimator_.feature_importances_


REGRESSORS = {"lasso": _lasso, "random_forest": _random_forest}


def fit_regressor(
    codes: np.ndarray,
    factor: np.ndarray,
    test_codes: np.ndarray,
    test_factor: np.ndarray,
    *,
    estimator: str,
    seed: int,
) -> tuple[np.ndarray, float, float]:
    """How much each latent helps to predict a factor, and how well they do; arguments are valid.

    Args:
        codes: Float array `(n_train, latent_dim)`; a constant latent helps nothing.
        factor: Float array `(n_train,)`, not constant.
        test_codes: Float array `(n_test, latent_dim)`.
        test_factor: Float array `(n_test,)`.
        estimator: "lasso" or "random_forest".
        seed: Integer from 0 to 2**32 - 1.

    Returns:
        Importances `(latent_dim,)`, 0 or above, and 1 - root mean square error over the factor's
        standard deviation in training, of training and of test samples.
    """
    mean, spread = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    spread[np.ptp(codes, axis=0) == 0] = 1.0
    codes, test_codes = (codes - mean) / spread, (test_codes - mean) / spread
    mean, spread = factor.mean(), factor.std()
    factor, test_factor = (factor - mean) / spread, (test_factor - mean) / spread
    model, importance = REGRESSORS[estimator](codes, factor, seed)
    errors = model.predict(codes) - factor, model.predict(test_codes) - test_factor
    train, test = (1 - float(np.sqrt(np.mean(np.square(error)))) for error in errors)
    return importance, train, test
