"""Every misuse of `sparsify` and of controls has one clear line."""

import gc

import keras
import numpy as np
import pytest
import zoo
from keras import layers

import sparsevae as sv
from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv2D, GatedDense
from sparsevae.sparsity import RigL, Strength, TargetDensity, TopK

LEARNED, PRUNED = "hard_concrete", gates.Pruned()


# Misuse: what is called, the type of the error, what its one line says


class OwnCall(keras.Model):
    def call(self, inputs):
        return 2 * super().call(inputs)


class OwnTraining(keras.Model):
    def train_step(self, data):
        return super().train_step(data)

    def compute_loss(self, *args, **kwargs):
        return 2 * super().compute_loss(*args, **kwargs)


class NothingOwn(keras.Model):
    extra = 3


def functional(kind):
    inputs = keras.Input((4,))
    return kind(inputs, layers.Dense(2, name="dense")(inputs), name="own")


def around(model):
    inputs = keras.Input((4,))
    return keras.Model(inputs, model(inputs))


class Whole(layers.Layer):
    """A layer whose config leaves out an argument."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        return x

    def get_config(self):
        return {"name": self.name}


def with_whole():
    return keras.Sequential([keras.Input((4,)), Whole(3, name="whole"), layers.Dense(2)])


def quantized():
    model = zoo.dense(8)
    model.layers[0].quantize("int8")
    return model


def pruned(control=None, compiled=True):
    sparse = sv.sparsify(zoo.dense(2), PRUNED, control=control)
    if compiled:
        sparse.compile("sgd", "mse")
    return sparse


X, Y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")


def refit(control):
    """Gives one control to two models."""
    for _ in range(2):
        sv.sparsify(zoo.dense(2), control=control)


MISUSES = {
    "no model": (lambda: sv.sparsify(layers.Dense(2)), TypeError, "`model` must be a Keras model"),
    "subclassed": (lambda: sv.sparsify(zoo.Subclassed()), ValueError, "functional or Sequential"),
    "a call of its own": (
        lambda: sv.sparsify(functional(OwnCall)),
        ValueError,
        "`model` must leave `call` to Keras.*Received: OwnCall 'own' with a `call` of its own",
    ),
    "a call of its own in a model": (
        lambda: sv.sparsify(around(functional(OwnCall))),
        ValueError,
        "`model` must leave `call` to Keras.*Received: OwnCall 'own'",
    ),
    "a call of its own to harden": (
        lambda: sv.harden(around(functional(OwnCall))),
        ValueError,
        "`model` must leave `call` to Keras.*Received: OwnCall 'own'",
    ),
    "training of its own": (
        lambda: sv.sparsify(functional(OwnTraining)),
        ValueError,
        r"`model` must train as Keras.*keras\.Model\(model\.inputs, model\.outputs\).*Controlled"
        ".*OwnTraining 'own' with its own train_step, compute_loss",
    ),
    "not built": (
        lambda: sv.sparsify(keras.Sequential([layers.Dense(2)])),
        ValueError,
        r"`model` must be built: give it a keras\.Input",
    ),
    "gated already": (
        lambda: sv.sparsify(sv.sparsify(zoo.dense(2))),
        ValueError,
        "no gated layers yet.*'dense_0'",
    ),
    "no layer to gate": (
        lambda: sv.sparsify(keras.Sequential([keras.Input((4,)), layers.LayerNormalization()])),
        ValueError,
        "No layer got a gate.*LayerNormalization",
    ),
    "config is not whole": (
        lambda: sv.sparsify(with_whole()),
        ValueError,
        "'whole' cannot be copied.*another Whole",
    ),
    "unknown name": (
        lambda: sv.sparsify(zoo.dense(2, 2), where="dense1"),
        ValueError,
        "`where` must be one of 'dense_0', 'dense_1'. Did you mean 'dense_1'",
    ),
    "unknown pattern": (
        lambda: sv.sparsify(zoo.dense(2), where="conv*"),
        ValueError,
        r"`where` must match a layer, such as dense_0. Received: where='conv\*'",
    ),
    "unknown type": (
        lambda: sv.sparsify(zoo.dense(2), where=layers.Conv2D),
        ValueError,
        "must match a layer.*'Conv2D'",
    ),
    "name of a layer without gates": (
        lambda: sv.sparsify(zoo.residual(), where=["stem", "norm_1"]),
        ValueError,
        "`where` must mean.*'norm_1': There is no gated layer for a BatchNormalization",
    ),
    "pattern of such layers": (
        lambda: sv.sparsify(zoo.residual(), where="norm_*"),
        ValueError,
        "`where` must mean.*BatchNormalization",
    ),
    "type of such layers": (
        lambda: sv.sparsify(zoo.residual(), where=layers.BatchNormalization),
        ValueError,
        "`where` must mean.*BatchNormalization",
    ),
    "einsum of such axes": (
        lambda: sv.sparsify(zoo.einsum(), where="heads"),
        ValueError,
        "`where` must mean.*'heads': `equation` must have a kernel of two axes",
    ),
    "where is a number": (lambda: sv.sparsify(zoo.dense(2), where=3), TypeError, "`where` must be"),
    "where holds a number": (
        lambda: sv.sparsify(zoo.dense(2), where=[3]),
        TypeError,
        "`where` must hold names",
    ),
    "where is empty": (lambda: sv.sparsify(zoo.dense(2), where=[]), TypeError, "`where` must be"),
    "unknown gate": (
        lambda: sv.sparsify(zoo.dense(2), "hard_concret"),
        ValueError,
        "Did you mean 'hard_concrete'",
    ),
    "gate is a number": (lambda: sv.sparsify(zoo.dense(2), 3), TypeError, "`gate` must be a name"),
    "gate is a class": (
        lambda: sv.sparsify(zoo.dense(2), gates.Binary),
        TypeError,
        "`gate` must be a name",
    ),
    "gate function gives a number": (
        lambda: sv.sparsify(zoo.dense(2), lambda layer: 3),
        TypeError,
        "`gate` must be a name.*3 for 'dense_0'",
    ),
    "mask of another shape": (
        lambda: sv.sparsify(zoo.dense(2, 3), gates.Fixed(np.ones((4, 2)))),
        ValueError,
        r"mask of a Fixed gate must have the shape \(2, 3\).*\(4, 2\)",
    ),
    "control is a number": (
        lambda: sv.sparsify(zoo.dense(2), control=0.1),
        TypeError,
        "`control` must be a control such as.*0.1",
    ),
    "control is a class": (
        lambda: sv.sparsify(zoo.dense(2), control=TopK),
        TypeError,
        "`control` must be a control such as",
    ),
    "control of two models": (
        lambda: refit(Strength(1.0)),
        ValueError,
        "`control` must belong to one model",
    ),
    "learned control, pruned gates": (
        lambda: sv.sparsify(zoo.dense(2), PRUNED, control=Strength(1.0)),
        ValueError,
        "`control` Strength needs gates that learn",
    ),
    "pruning, learned gates": (
        lambda: sv.sparsify(zoo.dense(2), LEARNED, control=TopK(0.5)),
        ValueError,
        "`control` TopK sets masks itself.*HardConcrete in 'dense_0'",
    ),
    "control in the place of the gate": (
        lambda: sv.sparsify(zoo.dense(2), TopK(0.5)),
        TypeError,
        r"`gate` must be a name, a Gate, or a function: give it as control=TopK\(...\)",
    ),
    "layer in the place of the gate": (
        lambda: sv.sparsify(zoo.dense(2), layers.Dense(2)),
        TypeError,
        "`gate` must be a name, a Gate, or a function. Received",
    ),
    "where is a layer": (
        lambda: sv.sparsify(model := zoo.dense(2), where=model.layers[0]),
        TypeError,
        "`where` must be.*Received: where='dense_0', a layer: give its name",
    ),
    "quantized": (
        lambda: sv.sparsify(quantized()),
        ValueError,
        "No layer got a gate.*'dense_0': Gated layers cannot be quantized",
    ),
    "grouped convolutions only": (
        lambda: sv.sparsify(
            keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(4, 2, groups=2, name="c")])
        ),
        ValueError,
        "No layer got a gate.*'c': Gated convolutions need groups=1",
    ),
    "phase of a string": (
        lambda: TopK.over(0.5, 100, "a"),
        ValueError,
        "`open_until` must be a fraction of the run.*Received: open_until='a'",
    ),
    "drop fraction of a string": (
        lambda: RigL(0.5, drop_fraction="a"),
        ValueError,
        "`drop_fraction` must be a float",
    ),
    "dual rate of a string": (
        lambda: TargetDensity(0.5, dual_rate="a"),
        ValueError,
        "`dual_rate` must be None or a finite float above 0. Received: dual_rate='a'",
    ),
    "dual rate of a boolean": (
        lambda: TargetDensity(0.5, dual_rate=True),
        ValueError,
        "`dual_rate` must.*Received: dual_rate=True",
    ),
    "ramp of half steps": (
        lambda: TargetDensity(0.5, ramp=(1.5, 3)),
        ValueError,
        r"`ramp` must be two steps.*integers.*Received: ramp=\(1.5, 3\)",
    ),
    "freeze at half a step": (
        lambda: TargetDensity(0.5, ramp=(1, 3), freeze=4.5),
        ValueError,
        "`freeze` must be None or a step, an integer.*Received: freeze=4.5",
    ),
    "snip without targets": (
        lambda: sparsity.at_start.snip(pruned(), 0.5, X),
        ValueError,
        "`y` must be given",
    ),
    "snip of what gives batches": (
        lambda: sparsity.at_start.snip(pruned(), 0.5, iter([(X, Y)])),
        TypeError,
        "`x` must be one batch.*Received: list_iterator",
    ),
    "snip of lists": (
        lambda: sparsity.at_start.snip(pruned(), 0.5, X.tolist(), Y),
        TypeError,
        "`x` must be one batch.*Received: list",
    ),
    "snip of targets in lists": (
        lambda: sparsity.at_start.snip(pruned(), 0.5, X, Y.tolist()),
        TypeError,
        "`y` must be one batch.*Received: list",
    ),
    "masks in a list": (
        lambda: sparsity.set_gate_masks(pruned(), [np.ones((4, 2))]),
        TypeError,
        "`masks` must be a dict of booleans by name.*Received: list",
    ),
    "number of seeds": (
        lambda: sparsity.tickets.find(None, None, "nowhere", 1, seeds=3),
        TypeError,
        r"`seeds` must be integers, as \(0, 1, 2\). Received: seeds=3",
    ),
    "number of control rounds": (
        lambda: sparsity.tickets.find(None, None, "nowhere", 1, control_rounds=1),
        TypeError,
        "`control_rounds` must be integers",
    ),
    "density 0": (lambda: TargetDensity(0.0), ValueError, "`density` must be a float above 0"),
    "density 2": (lambda: TopK(2), ValueError, "`density` must be a float above 0 and at most 1"),
    "density NaN": (lambda: RigL(float("nan")), ValueError, "`density` must.*nan"),
    "density of a string": (lambda: RigL("0.1"), ValueError, "`density` must.*'0.1'"),
    "run too short": (
        lambda: TargetDensity.over(0.1, 3),
        ValueError,
        "`n_steps` must be so many that every phase has a step. Received: n_steps=3",
    ),
    "run of no steps": (lambda: TopK.over(0.1, 0), ValueError, "`n_steps` must be an integer"),
    "run of half a step": (lambda: TopK.over(0.1, 9.5), TypeError, "`n_steps` must be an integer"),
    "granularity": (
        lambda: TopK(0.1, granularity="channel"),
        ValueError,
        "`granularity` must.*Did you mean 'channels'",
    ),
    "scope": (lambda: TopK(0.1, scope="globl"), ValueError, "Did you mean 'global'"),
    "scope of rewiring": (lambda: RigL(0.1, scope="global"), ValueError, "`scope` must be one of"),
    "end before begin": (lambda: TopK(0.1, 10, 5), ValueError, "`end` must be an integer"),
    "drop fraction": (lambda: RigL(0.1, drop_fraction=1), ValueError, "`drop_fraction` must"),
    "bound": (lambda: sparsity.Distortion(0), ValueError, "`bound` must be a finite float"),
    "land before freeze": (
        lambda: sparsity.Distortion(1.0, (0, 2), 4, 4),
        ValueError,
        "`land` must be None or a step after `freeze`",
    ),
    "land without freeze": (lambda: sparsity.Distortion(1.0, land=9), ValueError, "`land` must"),
    "dual rate": (lambda: TargetDensity(0.1, dual_rate=0), ValueError, "`dual_rate` must"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_has_one_clear_line(misuse):
    call, error, match = MISUSES[misuse]
    with pytest.raises(error, match=match) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_subclass_that_runs_its_graph_as_it_is_will_do():
    for model in (functional(NothingOwn), around(functional(OwnTraining))):
        x = np.ones((2, 4), "float32")
        sparse = sv.sparsify(model, PRUNED)
        np.testing.assert_array_equal(np.array(sparse(x)), np.array(model(x)))


def test_a_control_of_layers_that_are_gone_is_refused_to_those_at_their_address():
    control, gone = Strength(1.0), GatedDense(2, gate=LEARNED)
    gone.build((None, 4))
    control.take([gone])
    address = id(gone)
    del gone
    gc.collect()
    others = []
    while address not in map(id, others[-1:]) and len(others) < 100_000:
        others.append(object.__new__(GatedDense))
    with pytest.raises(ValueError, match="`control` must belong to one model"):
        control.take(others[-1:])


def test_a_control_for_a_model_without_gates_is_refused():
    class Own(sparsity.Controlled, keras.Model):
        control = None

    inputs = keras.Input((4,))
    model = Own(inputs, layers.Dense(2)(inputs))
    with pytest.raises(ValueError, match=r"must be given to a model with gated layers.*Strength"):
        model.control = Strength(1.0)


def fixed(layer):
    return gates.Fixed(np.ones(layer.kernel.shape))


def test_gates_that_are_fixed_for_good_are_no_gates_that_learn():
    for control in (Strength(1.0), TargetDensity(0.5), sparsity.Distortion(1.0)):
        with pytest.raises(ValueError, match=r"needs gates that learn. Received: Fixed only"):
            sv.sparsify(zoo.dense(2), fixed, control=control)


def test_a_refused_attempt_leaves_the_control_free():
    control = TopK(0.5)
    with pytest.raises(ValueError, match="needs gate="):
        sv.sparsify(zoo.dense(2), LEARNED, control=control)
    assert sv.sparsify(zoo.dense(2), control=control).control is control


def compiled(control, frozen):
    model = zoo.dense(3, 2)
    model.layers[0].trainable = not frozen
    sparse = sv.sparsify(model, control=control)
    sparse.compile("sgd", "mse")
    return sparse


def fitted(sparse):
    x = np.ones((8, *sparse.input_shape[1:]), "float32")
    sparse.fit(x, np.ones((8, *sparse.output_shape[1:]), "float32"), batch_size=1, verbose=0)
    return sparse


@pytest.mark.parametrize("control", [TopK, sparsity.MagnitudePruning, sparsity.SET, RigL])
def test_frozen_layers_are_not_pruned_in_silence(control):
    with pytest.raises(ValueError, match=r"layers that are trainable.*which is frozen"):
        fitted(compiled(control.over(0.5, 8), frozen=True))
    sparse = fitted(compiled(control.over(0.5, 8), frozen=False))  # and its masks are final
    sparse.layers[1].trainable = False
    if control is RigL:
        sparse.control = sparsity.FixedMask()
    sparse.compile("sgd", "mse")
    fitted(sparse)
    assert sparsity.report(sparse).density == pytest.approx(0.5, abs=0.03)


def test_fixed_masks_bear_frozen_layers_unless_they_are_still_to_be_drawn():
    fitted(compiled(sparsity.FixedMask(), frozen=True))
    with pytest.raises(ValueError, match="layers that are trainable"):
        fitted(compiled(sparsity.FixedMask(0.5), frozen=True))


def test_a_step_of_ones_own_needs_the_optimizer_of_compile():
    sparse = sv.sparsify(zoo.dense(2), control=TopK(0.5))
    with pytest.raises(ValueError, match=r"must be set by `compile`.*Received: None"):
        sparse.begin_step()
    sparse.compile("sgd", "mse")
    sparse.begin_step()
    sparse.optimizer = keras.optimizers.SGD()
    with pytest.raises(ValueError, match=r"must be set by `compile`.*SGD"):
        sparse.begin_step()


def test_a_control_after_the_model_was_made_needs_its_kind_of_gate():
    sparse = sv.sparsify(zoo.dense(2), PRUNED)
    with pytest.raises(ValueError, match="`control` TargetDensity needs gates that learn"):
        sparse.control = TargetDensity(0.5)
    with pytest.raises(ValueError, match=r"`granularity` of the control.*'weights', and 'links'"):
        sparse.control = TopK(0.5, granularity="weights")
    sparse.control = TopK(0.5)
    assert isinstance(sparse.gated_layers[0], GatedDense) and not isinstance(
        sparse.gated_layers[0], GatedConv2D
    )
