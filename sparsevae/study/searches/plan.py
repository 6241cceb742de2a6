"""What a search may vary, what it looks for, and how much it may spend."""

import dataclasses

from sparsevae.checks import check_choice, check_integer
from sparsevae.metrics.evaluation import score_names
from sparsevae.metrics.registry import SCORE_OF_VALUE, SCORES
from sparsevae.study.controls import UNGATED
from sparsevae.study.objective_choice import WITH_BETA
from sparsevae.study.settings import NAMES, RunSettings

TUNERS = ("random", "bayesian", "hyperband", "grid")
GATES = tuple(name for name in NAMES["gate"] if name not in (*UNGATED, "pruned"))
BUDGETS = {"small": (10, 2_000), "medium": (40, 10_000), "large": (120, 30_000)}  # trials, steps
MEASURED = {"elbo": "max", "density": "min", "kl": "min", "active_latents": "min", "udr": "max"}
OVER = ("strength", "target_density")  # settings, and the controls that look at them


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """A search over gates and their price, or the density that they are to have. Strengths are in
    units of Δ, see `collapse_gap`."""

    tuner: str = "bayesian"
    """random, bayesian, hyperband or grid."""
    objectives: list[str] = dataclasses.field(default_factory=lambda: ["elbo", "density"])
    """One, or several for a Pareto front: elbo, density, kl, active_latents, any score, or udr
    (which needs no labels, and n_seeds of at least 2)."""
    n_trials: int = 10
    """Trials; hyperband finds its own number."""
    n_seeds: int = 1
    """Models of a trial, which differ in their seed alone; objectives are means over them."""
    over: str = "strength"
    """strength, or target_density: what decides how many links are left."""
    strengths: tuple[float, float] = (0.1, 10.0)
    """Least and largest strength in units of Δ, searched on a log scale."""
    target_densities: tuple[float, float] = (0.02, 0.5)
    """Least and largest target density, searched on a log scale."""
    gates: list[str] = dataclasses.field(default_factory=lambda: list(GATES))
    """Kinds of gates."""
    places: list[str] = dataclasses.field(default_factory=lambda: ["both", "decoder"])
    """Networks with gates: both, encoder or decoder."""
    betas: list[float] = dataclasses.field(default_factory=lambda: [1.0, 4.0])
    """Weights of the KL."""
    learning_rates: tuple[float, float] = (3e-4, 3e-3)
    """Least and largest learning rate, searched on a log scale."""
    gate_learning_rates: tuple[float, float] = (1.0, 1.0)
    """Least and largest factor on the gates' learning-rate multiplier, whose default is measured
    for each kind; so it is not varied unless asked for."""
    stop_hopeless: bool = True
    """End trials early that have lost all latents or, unless a score is among the objectives, that
    half of the others beat."""
    n_best: int = 1
    """Models to export: the best, or those nearest to the knee of the front."""
    search_seed: int = 0
    """Of the tuner."""

    def __post_init__(self):
        check_choice("tuner", self.tuner, TUNERS)
        check_choice("over", self.over, OVER)
        for field, names in (("gates", GATES), ("places", NAMES["where"])):
            _check_listed(field, getattr(self, field), names)
        _check_listed("betas", self.betas)
        _check_listed("objectives", self.objectives)
        for name in self.objectives:
            _check_objective(name)
        for field in ("strengths", "target_densities", "learning_rates", "gate_learning_rates"):
            _check_limits(field, getattr(self, field))
        for field, least in (("n_trials", 1), ("n_seeds", 1), ("n_best", 1), ("search_seed", 0)):
            object.__setattr__(self, field, check_integer(field, getattr(self, field), least))
        if "udr" in self.objectives and self.n_seeds < 2:
            raise ValueError(
                "`n_seeds` must be at least 2 for the objective udr, which compares models that "
                f"differ in their seed alone. Received: n_seeds={self.n_seeds}"
            )

    @property
    def searched(self) -> tuple[str, ...]:
        """Settings of runs that the search chooses."""
        return ("gate", "where", self.over, "beta", "learning_rate")

    def base(self, settings: RunSettings) -> RunSettings:
        """Settings that all trials share.

        The control is that of what is searched over; the scores that are needed join; there are at
        least ten checkpoints, at which a trial can be given up.
        """
        if settings.objective not in WITH_BETA and [*map(float, self.betas)] != [1.0]:
            raise ValueError(
                f"`betas` must be [1.0] with objective={settings.objective!r}, whose weights are "
                f"`objective_options`. Received: betas={self.betas!r}"
            )
        unit = settings.steps_per_execution
        tenth = max(settings.n_steps // 10 // unit, 1) * unit
        scores = [SCORE_OF_VALUE[name] for name in self.objectives if name not in MEASURED]
        other = {"strength": RunSettings.strength} if self.over != "strength" else {}
        return dataclasses.replace(
            settings,
            control=self.over,
            **other,
            checkpoint_every=min(settings.checkpoint_every, tenth),
            metrics=score_names([*settings.metrics, *scores]),
        )


def sign(objective: str) -> int:
    """1 if lower is better, -1 if higher is."""
    if objective in MEASURED:
        return 1 if MEASURED[objective] == "min" else -1
    return -1 if SCORES[SCORE_OF_VALUE[objective]].higher_is_better else 1


def _check_objective(name):
    if isinstance(name, str) and name in SCORES and name not in SCORE_OF_VALUE:
        values = ", ".join(f"{name}{suffix}" for suffix in SCORES[name].values)
        raise ValueError(
            f"`objectives` must name one value of a score: {values}. Received: {name!r}"
        )
    if name not in SCORE_OF_VALUE:
        check_choice("objectives", name, (*MEASURED, *SCORE_OF_VALUE))


def _check_limits(field, limits):
    low, high = limits
    largest = 1.0 if field == "target_densities" else float("inf")
    if not 0 < low <= high <= largest or not high < float("inf"):
        above = "above 0" if largest > 1 else "above 0 and at most 1"
        raise ValueError(
            f"`{field}` must be two numbers {above}, the lower one first. "
            f"Received: {field}={limits!r}"
        )


def _check_listed(field, values, names=None):
    if not values or len(set(values)) < len(values):
        raise ValueError(
            f"`{field}` must list at least one value, each once. Received: {field}={values!r}"
        )
    for value in values if names else ():
        check_choice(field, value, names)
