"""All settings of one run, in one place."""

import dataclasses
import re

from sparsevae.checks import check_choice, check_integer
from sparsevae.data import check_name
from sparsevae.metrics.evaluation import score_names
from sparsevae.study.conditions import training_conditions

NAMES = {
    "model": ("conv", "mlp"),
    "gate": ("none", "hard_concrete", "binary", "annealed_sigmoid", "continuous", "l1_weights"),
    "where": ("both", "encoder", "decoder"),
    "likelihood": ("bernoulli", "gaussian"),
    "weighting": ("layers", "links", "parameters", "flops"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "data_source": ("auto", "file", "tfds", "render"),
}


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
    """conv or mlp."""
    latent_dim: int = 10
    """Number of latents."""
    likelihood: str = "bernoulli"
    """bernoulli or gaussian."""
    variance: float = 0.5
    """Pixel variance of the gaussian likelihood."""
    beta: float = 1.0
    """Weight of the KL."""
    gate: str = "hard_concrete"
    """none, hard_concrete, binary, annealed_sigmoid, continuous, or l1_weights: the baseline."""
    gate_options: dict[str, float | str] = dataclasses.field(default_factory=dict)
    """Arguments of the gate, such as: initial_density 0.98, or: estimator threshold."""
    where: str = "both"
    """Networks with gates: both, encoder or decoder."""
    strength: float = 100.0
    """Sparsity strength, nats from empty to full; for l1_weights nats per unit of |weight|."""
    weighting: str = "layers"
    """What a link counts for: layers, links, parameters or flops."""
    open_until: float = 0.1
    """Fraction at which the gates begin to learn."""
    full_at: float = 0.4
    """Fraction at which the price has risen to the strength."""
    freeze_at: float = 0.85
    """Fraction at which the gates are fixed for good."""
    cut_threshold: float = 0.01
    """l1_weights: weights smaller than this are cut after training."""
    n_steps: int = 20_000
    """Training steps. With more of them a run goes on, also a finished one; its phases stay."""
    batch_size: int = 64
    """Images per step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    precision: str = "float32"
    """float32, mixed_bfloat16 or mixed_float16."""
    steps_per_execution: int = 1
    """Steps per call of the compiled function."""
    checkpoint_every: int = 500
    """Steps between checkpoints, also between rows of the history."""
    metrics: list[str] = dataclasses.field(default_factory=lambda: ["mig", "sap", "dci_fast"])
    """Scores at the end; of a set without factors, or with one value of each, those that need none.
    "all" takes minutes."""
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
        for field in ("learning_rate", "variance"):
            if not 0 < (value := getattr(self, field)) < float("inf"):
                raise ValueError(f"`{field}` must be finite and above 0. Received: {value!r}")
        for field in ("beta", "strength", "cut_threshold"):
            if not 0 <= (value := getattr(self, field)) < float("inf"):
                raise ValueError(f"`{field}` must be finite and at least 0. Received: {value!r}")
        if not 0 <= self.open_until <= self.full_at <= self.freeze_at <= 1:
            raise ValueError(
                "The phases must end in order, 0 <= open_until <= full_at <= freeze_at <= 1. "
                f"Received: open_until={self.open_until!r}, full_at={self.full_at!r}, "
                f"freeze_at={self.freeze_at!r}"
            )

    def training_conditions(self) -> dict:
        """What training is restricted to, see `conditions.training_conditions`."""
        return training_conditions(self.correlated, self.confounder, self.withheld, self.only)


def _check_counts(settings):
    counts = ("latent_dim", "n_steps", "batch_size", "steps_per_execution", "checkpoint_every")
    fields = [*counts, "n_threads", "seed"]
    if settings.image_size is not None:
        fields.append("image_size")
    for field in fields:
        least = int(field not in ("n_threads", "seed"))
        # NumPy's integers too; files of settings hold Python's.
        object.__setattr__(settings, field, check_integer(field, getattr(settings, field), least))
    for field in ("n_steps", "checkpoint_every"):
        if getattr(settings, field) % settings.steps_per_execution:
            raise ValueError(
                f"`{field}` must be a multiple of `steps_per_execution`. Received: "
                f"{getattr(settings, field)} and {settings.steps_per_execution}"
            )
