"""The one list of gates that tests run over, and ways to put a gate into a state."""

import numpy as np

from sparsevae import gates

SHAPE = (6, 5)
GIVEN_MASK = np.random.default_rng(0).integers(0, 2, SHAPE)

MAKERS = {
    "hard_concrete_median": lambda seed=0: gates.HardConcrete(test_rule="median", seed=seed),
    "hard_concrete_mean": lambda seed=0: gates.HardConcrete(test_rule="mean", seed=seed),
    "binary_bernoulli": lambda seed=0: gates.Binary("bernoulli", seed=seed),
    "binary_threshold": lambda seed=0: gates.Binary("threshold", seed=seed),
    "annealed_sigmoid": lambda seed=0: gates.AnnealedSigmoid(seed=seed),
    "continuous": lambda seed=0: gates.Continuous(seed=seed),
    "fixed": lambda seed=0: gates.Fixed(GIVEN_MASK, seed=seed),
    "pruned": lambda seed=0: gates.Pruned(seed=seed),
}
NAMES = list(MAKERS)
STOCHASTIC = ["hard_concrete_median", "hard_concrete_mean", "binary_bernoulli"]
TRAINABLE = [name for name in NAMES if name not in ("fixed", "pruned")]
BOUNDED = [name for name in TRAINABLE if name != "continuous"]


def array(tensor):
    """NumPy array of a tensor or of a Keras variable."""
    return np.asarray(tensor).copy()


def set_parameter(gate, value):
    """Sets the gate's parameter, which its variable holds divided by the multiplier."""
    (variable,) = gate.trainable_variables
    variable.assign(np.broadcast_to(value, variable.shape) / gate.learning_rate_multiplier)


def spread(gate, seed=0):
    """Moves the parameters of a built gate all over their range; returns the gate."""
    if gate.trainable_variables:
        low, high = getattr(gate, "bounds", (0.0, 1.0))
        values = np.random.default_rng(seed).uniform(low, high, gate.mask_shape)
        set_parameter(gate, values)
    if isinstance(gate, gates.Pruned):
        gate.open.assign(np.random.default_rng(seed).integers(0, 2, gate.mask_shape))
    return gate


def built(name, seed=0, shape=SHAPE):
    gate = MAKERS[name](seed)
    gate.build(shape)
    return gate
