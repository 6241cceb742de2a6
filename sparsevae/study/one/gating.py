"""The gates and the control of a run's model, from its settings."""

from sparsevae import gates, sparsity
from sparsevae.study.controls import KINDS, UNGATED
from sparsevae.study.settings import RunSettings

_MAKERS = {
    "strength": sparsity.Strength.over,
    "target_density": sparsity.TargetDensity.over,
    "distortion": sparsity.Distortion.over,
    "magnitude": sparsity.MagnitudePruning.over,
    "top_k": sparsity.TopK.over,
    "rigl": sparsity.RigL.over,
    "set": sparsity.SET.over,
    "random": sparsity.FixedMask.over,
    "mask": lambda run, n_steps, granularity: sparsity.FixedMask(granularity=granularity),
}


def make_gate(settings: RunSettings) -> gates.Gate | None:
    """The gate to copy into each layer; None for stock layers."""
    if settings.gate in UNGATED:
        return None
    return gates.NAMES[settings.gate](**settings.gate_options)


def make_control(settings: RunSettings) -> sparsity.Control | None:
    """The control, with phases laid out over `n_steps`; None without gates."""
    if settings.gate in UNGATED:
        return None
    kind = KINDS[settings.control]
    options = {name: getattr(settings, name) for name in (*kind.own, *kind.others)}
    return _MAKERS[settings.control](
        getattr(settings, kind.target),
        settings.n_steps,
        granularity=settings.granularity,
        **options,
    )
