"""The contract of a gate: a learnable mask over the links of one layer."""

import abc
import random
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from sparsevae.gates.noise import LogisticNoise
from sparsevae.gates.step import present_step
from sparsevae.training import assign_group, fused, read

GROUP = "gates"  # of the optimizer


class Gate(keras.layers.Layer, abc.ABC):
    """A mask of shape `(in_channels, out_channels)`: one switch for each channel-to-channel link.

    Layers whose gates switch single weights or whole channels ask for masks of other rows, down
    to one (`sparsevae.layers.GatedLayer`).

    A gate is *learning* or *fixed*. While learning, `mask(training=True)` is what the gate trains
    with (a sample, where the gate is stochastic) and lets the gradient through; while fixed, and
    always with `training=False`, it is the deterministic test rule, without gradient when
    training. A new gate is learning; a control (`sparsevae.sparsity.Strength`) changes that
    through `set_phase`. Parameters, noise and masks are float32 under any dtype policy.

    A sample is a function of the seed and of the number of samples before, which is a weight: any
    Keras file goes on with the noise of an unbroken run.

    Args:
        learning_rate_multiplier: Float above 0. The trainable weight stores the gate's parameter
            divided by this number, so that under Adam and its kin (whose steps ignore the scale
            of the gradient) the parameter moves this many times faster than other weights,
            whoever trains the model. Plain SGD would see the square of it.
        seed: Integer, or None for a seed from Python's `random`, as Keras does.
    """

    charges_kernel = False  # whether `cost` depends on the kernel
    _noise: LogisticNoise | None = None

    def __init__(
        self, *, learning_rate_multiplier: float = 1.0, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        if not 0 < learning_rate_multiplier < float("inf"):  # written so that NaN fails too
            raise ValueError(
                "`learning_rate_multiplier` must be a finite float above 0. "
                f"Received: learning_rate_multiplier={learning_rate_multiplier!r}"
            )
        self.learning_rate_multiplier = learning_rate_multiplier
        self.seed = random.randrange(2**31) if seed is None else seed
        self.taken = False  # whether a layer has this gate

    def build(self, input_shape: tuple[int, int]) -> None:
        """Creates the weights for a mask of shape `(in_channels, out_channels)`."""
        if len(input_shape) != 2 or not all(isinstance(n, int) and n > 0 for n in input_shape):
            raise ValueError(
                "A gate is built with the shape (in_channels, out_channels) of its mask, two "
                f"integers above 0. Received: {input_shape!r}"
            )
        self.mask_shape = tuple(input_shape)
        self.learning = self._add_state("learning", "ones")

    def _add_state(self, name, initializer, dtype="float32", shape=()):
        """Weight that is not trained; the same on all replicas. None is the gate's own dtype."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=False,
            aggregation="only_first_replica",
        )

    def _add_noise(self, scale=1.0):
        """Makes the learning mask a sample; to be called when all other weights exist."""
        self._noise = LogisticNoise(self.mask_shape, self.seed, scale)
        self.n_draws = self._add_state("n_draws", "zeros", "int32")
        self.begun = self._add_state("begun", "ones")

    def _add_parameter(self, name, mean, bounds, stddev=0.0):
        """Trainable weight `parameter / learning_rate_multiplier`, kept inside `bounds`."""
        scale = 1 / self.learning_rate_multiplier
        low, high = (bound * scale for bound in bounds)
        weight = self.add_weight(
            name=name,
            shape=self.mask_shape,
            initializer=keras.initializers.RandomNormal(mean * scale, stddev * scale, self.seed),
            constraint=lambda weight: ops.clip(weight, low, high),
            aggregation="mean",  # a constraint assigns inside a replica
        )
        assign_group([weight], GROUP)
        return weight

    def call(
        self,
        kernel: Any,
        transposed: bool = False,
        training: bool = False,
        dtype: str = "float32",
        priced: bool = False,
    ) -> Any:
        """Kernel times mask, formed in float32 and cast last.

        Args:
            kernel: Float tensor or variable `(..., in_channels, out_channels)`, or with the last
                two axes swapped if `transposed`. A mask of one row is that of all inputs.
            transposed: Whether the kernel's last axes are `(out_channels, in_channels)`.
            training: Whether to take the training rule (see the class).
            dtype: Of the result.
            priced: Whether to give the mean cost of a gate too, 0 while the gate is fixed.
        """

        def times(mask, kernel):
            product = ops.multiply(kernel, ops.transpose(mask) if transposed else mask)
            return ops.cast(product, dtype)

        if not training or not self.trainable_variables:
            product = times(self._fixed_mask(), kernel)
            return (product, ops.zeros((), "float32")) if priced else product
        windows, weights = self.draw(), self.mask_variables
        kernel, *values = read(kernel, *weights)

        def learning():
            def arithmetic(kernel, *windows):
                product = times(self._learning_mask(windows), kernel)
                cost = ops.mean(self.link_cost(kernel, transposed)) if priced else None
                return (product, cost) if priced else product

            return fused(arithmetic, [kernel], windows, weights, values)

        def fixed():  # little arithmetic: cheaper as it is
            product = times(ops.stop_gradient(self._fixed_mask()), kernel)
            return (product, ops.zeros((), "float32")) if priced else product

        return ops.cond(ops.greater(self.learning, 0.5), learning, fixed)

    @property
    def mask_variables(self) -> list[keras.Variable]:
        """All variables that masks depend on."""
        return self.trainable_variables

    def mask(self, training: bool = False) -> Any:
        """Float32 mask `(in_channels, out_channels)` with values in [0, 1]."""
        if not training or not self.trainable_variables:
            return self._fixed_mask()
        windows = self.draw()  # not inside: in a branch nothing can be counted
        return ops.cond(
            ops.greater(self.learning, 0.5),
            lambda: self._learning_mask(windows),
            lambda: ops.stop_gradient(self._fixed_mask()),
        )

    def draw(self) -> tuple:
        """Windows of `LogisticNoise` for the mask of this step; empty where nothing is drawn."""
        if self._noise is None:
            return ()
        draws = present_step().draws
        if id(self) not in draws:
            number = ops.copy(ops.convert_to_tensor(self.n_draws))
            self.n_draws.assign_add(1)
            draws[id(self)] = self._noise.draw(number)
        return draws[id(self)]

    @abc.abstractmethod
    def _learning_mask(self, windows):
        """The mask that the gate learns with, differentiable; noise is cut from `windows`."""

    @abc.abstractmethod
    def _fixed_mask(self):
        """The deterministic mask: the test rule."""

    @abc.abstractmethod
    def open_probability(self) -> Any:
        """P(mask is not 0) while learning, float32 `(in_channels, out_channels)` in [0, 1]."""

    def cost(self, kernel_energy: Any) -> Any:
        """What a control charges for each gate, float32 of the mask's shape.

        Args:
            kernel_energy: Sum of squares of the weights that each gate multiplies, same shape;
                None for gates that do not charge the kernel.
        """
        del kernel_energy  # only gates whose price depends on the kernel look at it
        return self.open_probability()

    def link_cost(self, kernel: Any, transposed: bool = False) -> Any:
        """`cost` of each gate for a kernel as in `call`, float32 of the mask's shape."""
        if not self.charges_kernel:
            return self.cost(None)
        energy = ops.square(ops.cast(kernel, "float32"))
        energy = ops.sum(energy, axis=tuple(range(len(energy.shape) - 2)))
        energy = ops.transpose(energy) if transposed else energy
        whole_channels = self.mask_shape[0] == 1
        return self.cost(ops.sum(energy, axis=0, keepdims=True) if whole_channels else energy)

    def support(self) -> Any:
        """Boolean `(in_channels, out_channels)`: the links that the test rule leaves open."""
        return ops.greater(self._fixed_mask(), 0)

    closing_point = 0.0  # parameter at and below which the test rule closes a link

    @property
    def learns(self) -> bool:
        """Whether it has a parameter, frozen or not."""
        return bool(self._trainable_variables)

    def score(self) -> Any:
        """The gate's parameter, float32 like the mask: links of a lower one would close first."""
        return ops.multiply(self._trainable_variables[0], self.learning_rate_multiplier)

    def parameter_for(self, keep: Any, score: Any = None) -> Any:
        """What to assign to the trainable weight so that `support` becomes `keep`.

        Links that are on the right side already stay where they are, others come just across.

        Args:
            keep: Like the mask, 1 for the links to be open and 0 for the others.
            score: Parameters to go by, like the mask; None for the present ones.
        """
        score, margin = self.score() if score is None else score, 1e-3
        is_open = ops.maximum(score, self.closing_point + margin)
        closed = ops.minimum(score, self.closing_point - margin)
        return ops.where(ops.greater(keep, 0.5), is_open, closed) / self.learning_rate_multiplier

    def undecided(self) -> Any:
        """Boolean `(in_channels, out_channels)`: P(open) is between 0.1 and 0.9."""
        return ops.less(ops.abs(self.open_probability() - 0.5), 0.4)

    def set_phase(self, learning: Any, progress: Any) -> None:
        """Called by a control before each step.

        Args:
            learning: Scalar, 1 while the gate learns and 0 while it is fixed.
            progress: Scalar in [0, 1], how much of the learning phase is over; 1 for good after.
        """
        del progress  # only gates that anneal look at it
        self.learning.assign(learning)

    @property
    def initial_mask(self) -> float:
        """Expected mask when the gate begins to learn; kernels are divided by it then."""
        return self.initial_test_mask

    @property
    def initial_test_mask(self) -> float:
        """Mask of the test rule before the gate has learned; kernels start divided by it."""
        return 1.0

    def fresh(self, seed: int) -> "Gate":
        """An unbuilt copy with another seed and a name of its own."""
        config = self.get_config()
        del config["name"]
        return type(self).from_config({**config, "seed": seed})

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """As `keras.layers.Layer`; counts that files of earlier versions lack stay as they are."""
        weights = [*self._trainable_variables, *self._non_trainable_variables]
        n_counts = 0 if self._noise is None else 2
        if len(store.keys()) != len(weights) - n_counts:
            super().load_own_variables(store)
            return
        for number, weight in enumerate(weights[: len(store.keys())]):
            weight.assign(store[str(number)])

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "seed": self.seed,
        }
