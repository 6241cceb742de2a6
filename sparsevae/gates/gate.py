"""The contract of a gate: a learnable mask over the links of one layer."""

import abc
import random

import keras
from keras import ops


class Gate(keras.layers.Layer, abc.ABC):
    """A mask of shape `(in_channels, out_channels)`: one switch for each channel-to-channel link.

    A gate is *learning* or *fixed*. While learning, `mask(training=True)` is what the gate trains
    with (a sample, where the gate is stochastic) and lets the gradient through; while fixed, and
    always with `training=False`, it is the deterministic test rule, without gradient when
    training. A new gate is learning; a control (`sparsevae.sparsity.Strength`) changes that
    through `set_phase`. Parameters, noise and masks are float32 under any dtype policy.

    Args:
        learning_rate_multiplier: Float above 0. The trainable weight stores the gate's parameter
            divided by this number, so that under Adam and its kin (whose steps ignore the scale
            of the gradient) the parameter moves this many times faster than other weights,
            whoever trains the model. Plain SGD would see the square of it.
        seed: Integer, or None for a seed from Python's `random`, as Keras does.
    """

    def __init__(self, *, learning_rate_multiplier=1.0, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        if not 0 < learning_rate_multiplier < float("inf"):  # written so that NaN fails too
            raise ValueError(
                "`learning_rate_multiplier` must be a finite float above 0. "
                f"Received: learning_rate_multiplier={learning_rate_multiplier!r}"
            )
        self.learning_rate_multiplier = learning_rate_multiplier
        self.seed = random.randrange(2**31) if seed is None else seed
        self.taken = False  # whether a layer has this gate

    def build(self, input_shape):
        """Creates the weights for a mask of shape `(in_channels, out_channels)`."""
        if len(input_shape) != 2 or not all(isinstance(n, int) and n > 0 for n in input_shape):
            raise ValueError(
                "A gate is built with the shape (in_channels, out_channels) of its mask, two "
                f"integers above 0. Received: {input_shape!r}"
            )
        self.mask_shape = tuple(input_shape)
        self.learning = self.add_weight(
            name="learning", shape=(), initializer="ones", trainable=False
        )

    def _add_parameter(self, name, mean, bounds, stddev=0.0):
        """Trainable weight `parameter / learning_rate_multiplier`, kept inside `bounds`."""
        scale = 1 / self.learning_rate_multiplier
        low, high = (bound * scale for bound in bounds)
        return self.add_weight(
            name=name,
            shape=self.mask_shape,
            initializer=keras.initializers.RandomNormal(mean * scale, stddev * scale, self.seed),
            constraint=lambda weight: ops.clip(weight, low, high),
        )

    def call(self, kernel, transposed=False, training=False):
        """Kernel times mask, in float32.

        Args:
            kernel: Float tensor or variable `(..., in_channels, out_channels)`, or with the last
                two axes swapped if `transposed`.
            transposed: Whether the kernel's last axes are `(out_channels, in_channels)`.
            training: Whether to take the training rule (see the class).
        """
        mask = self.mask(training=training)
        return ops.multiply(kernel, ops.transpose(mask) if transposed else mask)

    def mask(self, training=False):
        """Float32 mask `(in_channels, out_channels)` with values in [0, 1]."""
        if not training:
            return self._fixed_mask()
        draw = self._draw()  # not inside: on JAX a branch cannot move the generator on
        return ops.cond(
            ops.greater(self.learning, 0.5),
            lambda: self._learning_mask(draw),
            lambda: ops.stop_gradient(self._fixed_mask()),
        )

    def _draw(self):
        """What is random in one learning mask; None where nothing is."""
        return None

    @abc.abstractmethod
    def _learning_mask(self, draw):
        """The mask that the gate learns with, for one `_draw()`; differentiable."""

    @abc.abstractmethod
    def _fixed_mask(self):
        """The deterministic mask: the test rule."""

    @abc.abstractmethod
    def open_probability(self):
        """P(mask is not 0) while learning, float32 `(in_channels, out_channels)` in [0, 1]."""

    def cost(self, kernel_energy):
        """What a control charges for each link, float32 `(in_channels, out_channels)`.

        Args:
            kernel_energy: Sum of squares of each link's kernel weights, same shape.
        """
        del kernel_energy  # only gates whose price depends on the kernel look at it
        return self.open_probability()

    def support(self):
        """Boolean `(in_channels, out_channels)`: the links that the test rule leaves open."""
        return ops.greater(self._fixed_mask(), 0)

    def undecided(self):
        """Boolean `(in_channels, out_channels)`: P(open) is between 0.1 and 0.9."""
        return ops.less(ops.abs(self.open_probability() - 0.5), 0.4)

    def set_phase(self, learning, progress):
        """Called by a control before each step.

        Args:
            learning: Scalar, 1 while the gate learns and 0 while it is fixed.
            progress: Scalar in [0, 1], how much of the learning phase is over; 1 for good after.
        """
        del progress  # only gates that anneal look at it
        self.learning.assign(learning)

    @property
    def initial_mask(self):
        """Expected mask at the start; layers divide their initial kernel by it."""
        return 1.0

    def fresh(self, seed):
        """An unbuilt copy with another seed and a name of its own."""
        config = self.get_config()
        del config["name"]
        return type(self).from_config({**config, "seed": seed})

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "seed": self.seed,
        }
