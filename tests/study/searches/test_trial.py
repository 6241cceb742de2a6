"""One trial of several models, from records that are made up."""

import pytest

from sparsevae import records
from sparsevae.study.searches.trial import UDR, best_seed, status, values


@pytest.fixture
def trial(tmp_path):
    """Three models; the second has the best ELBO, the first the least density."""
    for seed, (elbo, density) in enumerate([(-30.0, 0.1), (-10.0, 0.4), (-20.0, 0.7)]):
        record = {"elbo": elbo, "density": density, "scores": {"mig": None}}
        records.write_record(tmp_path / f"seed_{seed}", record)
    records.write_json(tmp_path / UDR, {"udr": 0.3, "models": [0.1, 0.2, 0.6]})
    return tmp_path


@pytest.mark.parametrize(
    ("objective", "sign", "best"), [("elbo", -1, 1), ("density", 1, 0), ("udr", -1, 2)]
)
def test_the_best_model_of_a_trial(trial, objective, sign, best):
    assert best_seed(trial, objective, sign, 3) == trial / f"seed_{best}"


def test_values_are_means_over_models(trial):
    found = values(trial, ["elbo", "density", "mig", "udr"], 3)
    expected = {"elbo": -20, "density": 0.4, "mig": float("nan"), "udr": 0.3}
    assert found == pytest.approx(expected, nan_ok=True)


def test_a_trial_is_complete_when_all_its_models_are(trial):
    assert status(trial, 3) == ("complete", "")
    assert status(trial, 4) == ("running", "")
