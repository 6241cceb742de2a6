"""The search space: KerasTuner's hyperparameters, and the run settings that they stand for."""

import dataclasses
import inspect

import keras_tuner

from sparsevae import gates
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.training import build
from sparsevae.study.searches.plan import SearchPlan
from sparsevae.study.settings import RunSettings

MULTIPLIER = "learning_rate_multiplier"  # of gates
EPOCHS, MAX_EPOCHS = "tuner/epochs", 9  # Hyperband's: trials of a ninth, a third and all steps


class SparsityHyperModel(keras_tuner.HyperModel):
    """Gated VAEs for any KerasTuner tuner.

    Args:
        base: Settings that all models share.
        plan: What varies.
        gap: Δ in nats: strengths are searched in units of it.
    """

    def __init__(self, base: RunSettings, plan: SearchPlan, gap: float):
        super().__init__()
        self.base, self.plan, self.gap = base, plan, gap

    def build(self, hp):
        """The compiled `SparseVAE`."""
        settings = run_settings(hp, self.base, self.plan, self.gap)
        data = load_data(settings)
        return build(settings, data)


def space(plan: SearchPlan) -> keras_tuner.HyperParameters:
    """All that a plan varies; what has one value only is no part of it."""
    hp = keras_tuner.HyperParameters()
    _values(hp, plan)
    return hp


def run_settings(
    hp: keras_tuner.HyperParameters, base: RunSettings, plan: SearchPlan, gap: float, seed: int = 0
) -> RunSettings:
    """Settings of one model of a trial; `seed` is added to the base's."""
    values = _values(hp, plan)
    factor = values.pop("gate_learning_rate")
    in_gaps = plan.over == "strength"
    options = {MULTIPLIER: _multiplier(values["gate"]), **base.gate_options}
    n_steps = base.n_steps
    if EPOCHS in hp.values:  # a shorter run has its phases in the same places
        n_steps = max(n_steps * hp.values[EPOCHS] // MAX_EPOCHS, 1)
        n_steps = max(n_steps - n_steps % base.steps_per_execution, base.steps_per_execution)
    return dataclasses.replace(
        base,
        **{**values, plan.over: _rounded(values[plan.over] * (gap if in_gaps else 1.0))},
        gate_options={**options, MULTIPLIER: _rounded(factor * options[MULTIPLIER])},
        name=f"seed_{seed}",
        n_steps=n_steps,
        checkpoint_every=min(base.checkpoint_every, n_steps),
        seed=base.seed + seed,
    )


def _values(hp, plan):
    """Asks for each value that varies, which also declares it."""
    limits = plan.strengths if plan.over == "strength" else plan.target_densities
    return {
        plan.over: _between(hp, plan.over, limits),
        "gate": _one_of(hp, "gate", plan.gates),
        "where": _one_of(hp, "where", plan.places),
        "beta": _one_of(hp, "beta", [float(beta) for beta in plan.betas]),
        "learning_rate": _between(hp, "learning_rate", plan.learning_rates),
        "gate_learning_rate": _between(hp, "gate_learning_rate", plan.gate_learning_rates),
    }


def _multiplier(gate):
    """What a kind of gate learns faster by than other weights, by default."""
    return inspect.signature(gates.NAMES[gate]).parameters[MULTIPLIER].default


def _between(hp, name, limits):
    low, high = limits
    return float(low) if low == high else _rounded(hp.Float(name, low, high, sampling="log"))


def _one_of(hp, name, values):
    if len(values) == 1:
        return values[0]
    value = hp.Choice(name, list(values))
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value):
    """To 5 digits: between processes hyperparameters travel as 32 bits."""
    return float(f"{value:.5g}")
