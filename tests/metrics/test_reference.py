"""Every value of the reference implementation, within the tolerances that its README gives."""

import numpy as np
import pytest
from metrics_reference import CASES, reference

from sparsevae import metrics
from sparsevae.metrics.information import bin_codes, entropies, mutual_information_matrix

ONE_VOTE = 1.001


def train_of(arrays):
    return arrays["mus_train"].T, arrays["ys_train"].T


def split_of(arrays):
    return *train_of(arrays), arrays["mus_test"].T, arrays["ys_test"].T


@pytest.fixture(params=CASES)
def case(request):
    return reference(request.param)


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_mig(case):
    expected, arrays = case[0]["mig"], case[1]
    codes, factors = train_of(arrays)
    bins = bin_codes(codes, 20)
    np.testing.assert_array_equal(
        [np.bincount(column, minlength=20) for column in bins.T], expected["bin_counts"]
    )
    information = mutual_information_matrix(bins, factors, 20)
    close(information, expected["mutual_information"], 1e-10)
    close(entropies(factors), expected["entropy"], 1e-10)
    close(metrics.mig(codes, factors), expected["score"], 1e-10)
    unified = metrics.unified_scores(information, factors)
    close(unified.mig_per_factor, expected["per_factor"], 1e-10)
    close(unified.modularity_per_code, case[0]["modularity"]["per_code"], 1e-10)


def test_modularity(case):
    close(metrics.modularity(*train_of(case[1])), case[0]["modularity"]["score"], 1e-10)


def test_explicitness(case):
    found, expected = metrics.explicitness(*split_of(case[1])), case[0]["explicitness"]
    for name in ("score_train", "score_test", "per_factor_train", "per_factor_test"):
        close(getattr(found, name), expected[name], 5e-4)


def test_sap_discrete(case):
    expected = case[0]["sap_discrete"]
    close(metrics.sap_matrix(*split_of(case[1])), expected["matrix"], 0.003)
    close(metrics.sap(*split_of(case[1])), expected["score"], 0.002)


def test_sap_continuous(case):
    expected = case[0]["sap_continuous"]
    tolerance = 1e-6 if case[1]["mus_train"].dtype == np.float32 else 1e-8
    split = split_of(case[1])
    close(metrics.sap_matrix(*split, continuous=True), expected["matrix"], tolerance)
    close(metrics.sap(*split, continuous=True), expected["score"], tolerance)


def test_sap_of_real_valued_factors():
    expected, arrays = reference("few_latents")
    names = "mus_train", "ys_cont_train", "mus_test", "ys_cont_test"
    split = [arrays[name].T for name in names]
    expected = expected["sap_continuous_on_continuous_factors"]
    close(metrics.sap_matrix(*split, continuous=True), expected["matrix"], 1e-8)
    close(metrics.sap(*split, continuous=True), expected["score"], 1e-8)


def test_dci_of_a_given_importance(case):
    expected = case[0]["dci_given_importance"]
    found = metrics.dci_from_importance(case[1]["importance"])
    for name, value in expected.items():
        close(getattr(found, name), value, 1e-10)


def test_dci_of_boosted_trees(case):
    expected = case[0]["dci_gbt"]
    found = metrics.dci(*split_of(case[1]))
    close(found.importance, expected["importance"], 0.005)
    for name, tolerance in (
        ("disentanglement", 0.002),
        ("completeness", 0.002),
        ("informativeness_train", 0.004),
        ("informativeness_test", 0.004),
    ):
        close(getattr(found, name), expected[name], tolerance)


@pytest.mark.parametrize(
    ("block", "threshold"), [("factor_vae", 0.05), ("factor_vae_threshold_0", 0)]
)
def test_factor_vae(case, block, threshold):
    expected, arrays = case[0][block], case[1]
    names = ("global_reps", "train_reps", "train_factor", "eval_reps", "eval_factor")
    found = metrics.factor_vae_from_batches(
        *(arrays[f"fvae_{name}"] for name in names), threshold=threshold
    )
    np.testing.assert_allclose(found.global_variances, expected["global_variances"], rtol=1e-5)
    np.testing.assert_array_equal(found.active_dims, expected["active_dims"])
    for part in ("train", "eval"):
        votes, wanted = getattr(found, f"{part}_votes"), np.array(expected[f"{part}_votes"])
        assert np.abs(votes - wanted).sum() <= 2  # one vote moved
        close(
            getattr(found, f"{part}_accuracy"), expected[f"{part}_accuracy"], ONE_VOTE / votes.sum()
        )


def test_beta_vae(case):
    expected, arrays = case[0]["beta_vae"], case[1]
    names = [f"beta_{part}_{x}" for part in ("train", "eval") for x in ("reps1", "reps2", "factor")]
    found = metrics.beta_vae_from_pairs(*(arrays[name] for name in names))
    for part in ("train", "eval"):
        n = len(arrays[f"beta_{part}_factor"])
        close(getattr(found, f"{part}_accuracy"), expected[f"{part}_accuracy"], ONE_VOTE / n)


@pytest.mark.parametrize(("block", "quantile"), [("irs", 0.99), ("irs_quantile_1", 1.0)])
def test_irs(case, block, quantile):
    expected, arrays = case[0][block], case[1]
    found = metrics.irs(*train_of(arrays), quantile=quantile)
    tolerance = 1e-6 if arrays["mus_train"].dtype == np.float32 else 1e-9
    for name in ("score", "matrix", "disentanglement_scores", "parents", "max_deviations"):
        close(getattr(found, name), expected[name], tolerance)


def test_unsupervised(case):
    expected, codes = case[0]["unsupervised"], case[1]["mus_train"].T
    close(metrics.gaussian_total_correlation(codes), expected["gaussian_total_correlation"], 1e-9)
    wasserstein = expected["gaussian_wasserstein_correlation"]
    close(metrics.gaussian_wasserstein_correlation(codes), wasserstein, 1e-7)
    normalized = metrics.gaussian_wasserstein_correlation(codes, normalized=True)
    close(normalized, expected["gaussian_wasserstein_correlation_norm"], 1e-7)
    close(metrics.mutual_information_score(codes), expected["mutual_info_score"], 1e-10)


@pytest.mark.parametrize("filtered", [True, False])
@pytest.mark.parametrize(("method", "tolerance"), [("lasso", 1e-4), ("spearman", 1e-9)])
def test_udr(case, method, tolerance, filtered):
    expected, arrays = case[0]["udr"], case[1]
    expected = expected[f"{method}_{'filtered' if filtered else 'unfiltered'}"]
    codes, kl = list(arrays["udr_reps"]), list(arrays["udr_kl"])
    if not filtered:  # the reference still zeroes latents of little KL, and counts them
        codes = [model * (informative > 0.01) for model, informative in zip(codes, kl, strict=True)]
    found = metrics.udr(codes, kl if filtered else None, method=method)
    pairwise = np.array(expected["pairwise"])
    off_diagonal = ~np.eye(3, dtype=bool)
    if (pairwise[off_diagonal] == 0).any():  # a constant latent made the reference NaN
        assert method == "spearman" and not filtered
        return
    close(found.pairwise, pairwise, tolerance)
    close(found.model_scores, expected["model_scores"], tolerance)


@pytest.mark.parametrize("case_name", CASES)
def test_active_latents(case_name):
    expected, arrays = reference(case_name)
    active = metrics.active_latents(arrays["fvae_global_reps"])
    np.testing.assert_array_equal(active, expected["factor_vae"]["active_dims"])
