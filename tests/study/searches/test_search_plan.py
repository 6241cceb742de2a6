import dataclasses

import keras_tuner
import pytest

from sparsevae import gates
from sparsevae.commands.tune import Arguments
from sparsevae.metrics.registry import SCORE_OF_VALUE
from sparsevae.study import RunSettings, SearchPlan
from sparsevae.study.searches.plan import MEASURED, sign
from sparsevae.study.searches.space import EPOCHS, SparsityHyperModel, run_settings, space


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tuner": "bayes"}, "`tuner` must be one of .*Did you mean 'bayesian'"),
        ({"objectives": []}, "`objectives` must list"),
        ({"objectives": ["elbo", "elbo"]}, "`objectives` must list"),
        ({"objectives": ["mgi"]}, "`objectives` must be one of .*Did you mean 'mig'"),
        (
            {"objectives": ["dci_fast"]},
            "one value of a score: dci_fast_disentanglement",
        ),
        ({"objectives": ["unified"]}, "one value of a score: unified_information_disentanglement"),
        ({"objectives": ["mig_ceiling"]}, "`objectives` must be one of"),
        ({"objectives": [3]}, "`objectives` must be a string"),
        ({"objectives": ["udr"]}, "`n_seeds` must be at least 2 for the objective udr"),
        ({"gates": ["hard_concret"]}, "`gates` must be one of .*Did you mean 'hard_concrete'"),
        ({"gates": ["none"]}, "`gates` must be one of"),
        ({"gates": ["pruned"]}, "`gates` must be one of"),
        ({"over": "density"}, "`over` must be one of .*Did you mean 'target_density'"),
        ({"target_densities": (0.2, 1.1)}, "`target_densities` must be two numbers .*at most 1"),
        ({"target_densities": (0.0, 0.5)}, "`target_densities` must be two numbers above 0"),
        ({"target_densities": (0.3, 0.2)}, "`target_densities` must be two numbers"),
        ({"places": ["both", "both"]}, "`places` must list"),
        ({"strengths": (0.0, 1.0)}, "`strengths` must be two numbers above 0"),
        ({"strengths": (2.0, 1.0)}, "`strengths` must be two numbers"),
        ({"learning_rates": (1e-3, float("nan"))}, "`learning_rates`"),
        ({"gate_learning_rates": (0.0, 1.0)}, "`gate_learning_rates`"),
        ({"n_trials": 0}, "`n_trials` must be an integer of at least 1"),
        ({"n_best": 1.5}, "`n_best`"),
    ],
    ids=str,
)
def test_bad_plans_are_refused(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SearchPlan(**change)


@pytest.mark.parametrize("name", [*SCORE_OF_VALUE, *(name for name in MEASURED if name != "udr")])
def test_every_measurement_can_be_an_objective(name):
    assert SearchPlan(objectives=[name]).objectives == [name]
    assert sign(name) in (-1, 1)


def test_objectives_know_what_is_better():
    assert sign("elbo") == sign("mig") == sign("dci_fast_completeness") == sign("udr") == -1
    assert sign("density") == sign("gaussian_total_correlation") == 1
    assert sign("kl") == sign("active_latents") == 1


def test_the_base_has_what_trials_need():
    settings = RunSettings("a", metrics=["mig"], n_steps=1_000, steps_per_execution=4)
    base = SearchPlan(objectives=["elbo", "dci_fast_completeness"]).base(settings)
    assert base.metrics == ["mig", "dci_fast"]
    assert base.checkpoint_every == 100


def test_gates_are_all_that_learn():
    assert set(SearchPlan().gates) == {name for name in gates.NAMES if name != "pruned"}


def test_a_search_over_density():
    """In its own unit, by the control that looks at it; the rest is as in one over strength."""
    plan = SearchPlan(over="target_density", target_densities=(0.05, 0.4))
    names = {hp.name for hp in space(plan).space}
    assert names == {"target_density", "gate", "where", "beta", "learning_rate"}
    assert plan.searched == ("gate", "where", "target_density", "beta", "learning_rate")
    base = plan.base(RunSettings("a", strength=7.0))
    hp = space(plan)
    hp.values["target_density"] = 0.05
    settings = run_settings(hp, base, plan, gap=100.0)
    assert (settings.control, settings.target_density) == ("target_density", 0.05)
    by_layer = RunSettings("a", control="target_density", scope="layer")
    assert run_settings(hp, plan.base(by_layer), plan, gap=100.0).scope == "layer"
    with pytest.raises(ValueError, match="`scope` must be left at None with control='strength'"):
        SearchPlan().base(by_layer)


def test_a_command_for_each_way_to_search():
    for over in ("strength", "target_density"):
        settings, plan = Arguments(over=over, scope="layer" if over != "strength" else None).parts()
        assert plan.over == settings.control == over


def test_the_space_is_what_varies():
    names = {hp.name for hp in space(SearchPlan()).space}
    assert names == {"strength", "gate", "where", "beta", "learning_rate"}
    rates = {"learning_rates": (1e-3, 1e-3), "gate_learning_rates": (0.3, 3.0)}
    plan = SearchPlan(gates=["binary"], betas=[1], **rates)
    assert {hp.name for hp in space(plan).space} == {"strength", "where", "gate_learning_rate"}


@pytest.mark.parametrize(("gate", "own"), [("binary", 30.0), ("continuous", 1.0)])
def test_gates_learn_faster_by_a_factor_of_their_own_multiplier(gate, own):
    plan = SearchPlan(gates=[gate], gate_learning_rates=(2.0, 2.0))
    hp = space(plan)
    settings = run_settings(hp, RunSettings("a"), plan, gap=1.0)
    assert settings.gate_options == {"learning_rate_multiplier": 2 * own}
    base = RunSettings("a", gate_options={"learning_rate_multiplier": 5.0, "initial_density": 0.9})
    settings = run_settings(hp, base, plan, gap=1.0)
    assert settings.gate_options == {"learning_rate_multiplier": 10.0, "initial_density": 0.9}


def test_strength_is_in_units_of_the_gap():
    plan = SearchPlan(strengths=(2.0, 2.0))
    settings = run_settings(space(plan), RunSettings("a", seed=7), plan, gap=50.0, seed=1)
    assert settings.strength == 100.0 and settings.seed == 8 and settings.name == "seed_1"


def test_hyperband_shortens_the_whole_run():
    plan = SearchPlan(tuner="hyperband")
    hp = space(plan)
    hp.values[EPOCHS] = 3
    base = RunSettings("a", n_steps=900, checkpoint_every=90, steps_per_execution=2)
    settings = run_settings(hp, base, plan, gap=1.0)
    assert settings.n_steps == 300 and settings.full_at == base.full_at
    assert settings.checkpoint_every == 90
    hp.values[EPOCHS] = 1
    assert run_settings(hp, dataclasses.replace(base, checkpoint_every=300), plan, 1.0) == (
        dataclasses.replace(settings, n_steps=100, checkpoint_every=100)
    )


def test_values_survive_the_way_between_processes():
    """KerasTuner sends 32-bit floats; the settings must be the same on both sides."""
    plan = SearchPlan(betas=[0.1, 0.7])
    base = RunSettings("a")
    for seed in range(20):
        hp = space(plan)
        for part in hp.space:
            hp.values[part.name] = part.random_sample(seed)
        received = keras_tuner.HyperParameters.from_proto(hp.to_proto())
        assert run_settings(received, base, plan, 33.3) == run_settings(hp, base, plan, 33.3)


def test_the_hypermodel_builds_the_model(settings):
    plan = SearchPlan(gates=["binary"], places=["decoder"])
    vae = SparsityHyperModel(settings, plan, gap=10.0).build(space(plan))
    assert {layer.name.split("_")[0] for layer in vae.gated_layers} == {"decoder"}
    assert vae.control.strength == pytest.approx(1.0)  # 0.1 gaps, the lowest


def test_weights_of_the_kl_are_searched_only_where_the_objective_has_one():
    settings = RunSettings(name="a", objective="factor_vae", objective_options={"gamma": 20.0})
    with pytest.raises(ValueError, match=r"`betas` must be \[1.0\] with objective='factor_vae'"):
        SearchPlan().base(settings)
    assert SearchPlan(betas=[1.0]).base(settings).objective == "factor_vae"
    pairs = RunSettings(name="a", objective="ada_gvae")
    assert SearchPlan().base(pairs).objective == "ada_gvae"
