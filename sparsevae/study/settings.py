"""All settings of one run, in one place."""

import dataclasses
import itertools
import re
from collections.abc import Sequence

from sparsevae.checks import check_choice, check_integer
from sparsevae.data import check_name
from sparsevae.metrics.evaluation import score_names
from sparsevae.study.conditions import training_conditions
from sparsevae.study.controls import KINDS, UNGATED, completed
from sparsevae.study.objective_choice import OBJECTIVES, SUPERVISION, check_objective_choice

_GATES = ("hard_concrete", "binary", "annealed_sigmoid", "continuous", "pruned")
NAMES = {
    "model": ("conv", "mlp", "sparse_decoding"),
    "gate": (*UNGATED, *_GATES),
    "control": tuple(KINDS),
    "granularity": ("links", "weights", "channels"),
    "where": ("both", "encoder", "decoder"),
    "likelihood": ("bernoulli", "gaussian"),
    "weighting": ("layers", "links", "parameters", "flops"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "data_source": ("auto", "file", "tfds", "render"),
    "objective": OBJECTIVES,
    "supervision": SUPERVISION,
}
ANALYSES = ("factor_jacobian", "layer_profile", "wiring", "decoder_view")
_WIDTHS = {"hidden": ("mlp", "sparse_decoding"), "decoder_hidden": ("sparse_decoding",)}


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """One training run. Sizes are counts, fractions are of the run's steps, prices in nats."""

    name: str
    """Folder of the run, under runs/."""
    data: str = "dsprites"
    """Name of a set, of a variant such as noisy_dsprites, or path of your own images."""
    data_source: str = "auto"
    """auto (a file if there is one, else rendered), file, tfds (prepared by it) or render."""
    data_dir: str | None = None
    """Folder to look for data files in first."""
    factors: str | None = None
    """CSV or Parquet table with the factors of your own images, a row an image."""
    image_size: int | None = None
    """Height and width to bring your own images to."""
    background: str | None = None
    """Picture behind scream_NAME; a texture if not given."""
    correlated: dict[str, float] = dataclasses.field(default_factory=dict)
    """Factors correlated in training, and sigma (small is strong): shape,scale 0.2. Training only:
    scores are of the whole set, for these and the next three."""
    confounder: dict[str, float] = dataclasses.field(default_factory=dict)
    """Factors each correlated with all others in training, and sigma: shape 0.2."""
    withheld: list[str] = dataclasses.field(default_factory=list)
    """Combinations of factors left out of training, as "shape=2 posX=0,4,16-31"."""
    only: str = ""
    """Values that training is restricted to, as "shape=0,1 scale=2-5"."""
    model: str = "conv"
    """conv, mlp, or sparse_decoding: every pixel is decoded from latents of its own."""
    hidden: int = 1200
    """Units in each hidden layer of mlp, or of sparse_decoding's encoder."""
    decoder_hidden: int = 50
    """Units in each hidden layer of sparse_decoding's decoder, which runs once for each pixel."""
    latent_dim: int = 10
    """Number of latents."""
    likelihood: str = "bernoulli"
    """bernoulli or gaussian."""
    variance: float = 0.5
    """Pixel variance of the gaussian likelihood."""
    objective: str = "beta_vae"
    """beta_vae, annealed_vae, factor_vae, dip_vae, beta_tcvae, factorized_support; small_kernels or
    sparse_jacobian, terms beside the ELBO, and for sparse_decoding spike_and_slab; with pairs of
    images ada_gvae or ada_mlvae."""
    beta: float = 1.0
    """Weight of the KL, of beta_vae and of the objectives with pairs."""
    objective_options: dict[str, float | str] = dataclasses.field(default_factory=dict)
    """Arguments of the other objectives, such as: gamma 20, or: estimator weighted."""
    n_changed: int = 1
    """Factors in which the images of a pair differ; 0 draws their number anew for each pair."""
    supervision: str = "none"
    """Of few images with labels, on top of the objective: l2, xent or cov; or none."""
    supervision_strength: float = 16.0
    """Weight of the supervision."""
    n_labels: int = 1000
    """Images that have labels, at most all."""
    gate: str = "hard_concrete"
    """none, hard_concrete, binary, annealed_sigmoid, continuous, or l1_weights: the baseline.
    Controls that set masks imply pruned."""
    gate_options: dict[str, float | str] = dataclasses.field(default_factory=dict)
    """Arguments of the gate, such as: initial_density 0.98, or: estimator threshold."""
    where: str = "both"
    """Networks with gates: both, encoder or decoder."""
    granularity: str = "links"
    """What one gate switches: links between channels, single weights, or whole channels."""
    control: str = "strength"
    """What closes gates: strength, target_density or distortion where they learn; magnitude,
    top_k, rigl or set, which prune; a random mask that stays, or the mask of another run."""
    strength: float = 100.0
    """Sparsity strength, nats from empty to full; for l1_weights nats per unit of |weight|."""
    weighting: str = "layers"
    """What a link counts for: layers, links, parameters or flops."""
    target_density: float = 0.1
    """Share of the links that target_density, and controls that prune, leave."""
    bound: float | None = None
    """Training loss that distortion may reach, nats per image."""
    mask_from: str | None = None
    """Folder of a complete run whose masks the control mask takes: with its seed a winning ticket,
    with another one the mask alone."""
    scope: str | None = None
    """How links are shared out: model or layer (target_density), layer, erk or global (pruning).
    The control's own unless given; so are the next three."""
    open_until: float | None = None
    """Fraction at which the gates begin to learn, or pruning begins."""
    full_at: float | None = None
    """Fraction at which the price or the target is in full force, or links have moved last."""
    freeze_at: float | None = None
    """Fraction at which the gates are fixed for good, where they learn."""
    cut_threshold: float = 0.01
    """l1_weights: weights smaller than this are cut after training."""
    pruned_from: str | None = None
    """Folder of a complete run of the same model, with whose weights this one begins."""
    n_steps: int = 20_000
    """Training steps. With more of them a run goes on, also a finished one; its phases stay."""
    batch_size: int = 64
    """Images per step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    precision: str = "float32"
    """float32, mixed_bfloat16 (slower on processors without AMX) or mixed_float16."""
    steps_per_execution: int = 1
    """Steps per call of the compiled function."""
    checkpoint_every: int = 500
    """Steps between checkpoints, also between rows of the history."""
    metrics: list[str] = dataclasses.field(default_factory=lambda: ["mig", "sap", "dci_fast"])
    """Scores at the end; of a set without factors, or with one value of each, those that need none.
    "all" takes minutes."""
    analyses: list[str] = dataclasses.field(default_factory=list)
    """What to look at inside the model at the end, into record and table: factor_jacobian,
    layer_profile, wiring, decoder_view, or all."""
    n_threads: int = 0
    """CPU threads of TensorFlow; 0 is all cores."""
    seed: int = 0
    """Of initial weights, gates, noise and data."""

    def __post_init__(self):
        for field, names in NAMES.items():
            check_choice(field, getattr(self, field), names)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise ValueError(
                "`name` must begin with a letter or digit and hold only letters, digits, dots, "
                f"dashes and underscores. Received: name={self.name!r}"
            )
        check_name("data", self.data)
        _check_counts(self)
        self.training_conditions()
        score_names(self.metrics)
        analysis_names(self.analyses)
        _check_numbers(self)
        check_objective_choice(self, _DEFAULTS)
        for field, value in completed(self, _DEFAULTS).items():
            object.__setattr__(self, field, value)
        _check_phases(self)

    def training_conditions(self) -> dict:
        """What training is restricted to, see `conditions.training_conditions`."""
        return training_conditions(self.correlated, self.confounder, self.withheld, self.only)


def analysis_names(names: Sequence[str]) -> list[str]:
    """Names of analyses, each once, with "all" spelled out.

    Raises:
        ValueError: if a name is unknown.
    """
    for name in names:
        check_choice("analyses", name, ("all", *ANALYSES))
    return [name for name in ANALYSES if name in names or "all" in names]


_DEFAULTS = {
    field.name: field.default_factory() if callable(field.default_factory) else field.default
    for field in dataclasses.fields(RunSettings)
}


def _check_numbers(settings):
    for field in ("learning_rate", "variance", "target_density", "bound"):
        value, limit = getattr(settings, field), 1 if field == "target_density" else float("inf")
        if value is not None and not (0 < value < float("inf") and value <= limit):
            least = "above 0 and at most 1" if limit == 1 else "finite and above 0"
            raise ValueError(f"`{field}` must be {least}. Received: {value!r}")
    for field in ("beta", "strength", "cut_threshold", "supervision_strength"):
        if not 0 <= (value := getattr(settings, field)) < float("inf"):
            raise ValueError(f"`{field}` must be finite and at least 0. Received: {value!r}")
    for field, with_it in _WIDTHS.items():
        value, default = getattr(settings, field), _DEFAULTS[field]
        if settings.model not in with_it and value != default:
            raise ValueError(
                f"`{field}` must be left at {default} with model={settings.model!r}, which has no "
                f"such layers. Received: {field}={value!r}"
            )


def _check_phases(settings):
    names = ("open_until", "full_at", "freeze_at")
    phases = {name: getattr(settings, name) for name in names}
    ends = [0, *(end for end in phases.values() if end is not None), 1]
    if not all(a <= b for a, b in itertools.pairwise(ends)):
        received = ", ".join(f"{name}={end!r}" for name, end in phases.items())
        raise ValueError(
            "The phases must end in order, 0 <= open_until <= full_at <= freeze_at <= 1. "
            f"Received: {received}"
        )


def _check_counts(settings):
    counts = (
        *_WIDTHS,
        "latent_dim",
        "n_steps",
        "batch_size",
        "steps_per_execution",
        "checkpoint_every",
        "n_labels",
    )
    fields = [*counts, "n_threads", "seed", "n_changed"]
    if settings.image_size is not None:
        fields.append("image_size")
    for field in fields:
        least = int(field not in ("n_threads", "seed", "n_changed"))
        # NumPy's integers too; files of settings hold Python's.
        object.__setattr__(settings, field, check_integer(field, getattr(settings, field), least))
    for field in ("n_steps", "checkpoint_every"):
        if getattr(settings, field) % settings.steps_per_execution:
            raise ValueError(
                f"`{field}` must be a multiple of `steps_per_execution`. Received: "
                f"{getattr(settings, field)} and {settings.steps_per_execution}"
            )
