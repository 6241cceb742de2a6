"""Each failure is provoked and named; a healthy training has none."""

import keras
import numpy as np
import pytest

from sparsevae import gates, sparsity
from sparsevae.models import mlp_vae
from sparsevae.sparsity.failure_watch import REMEDIES, FailureWatch, failures

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype("float32")
Y = X[:, :1] - 2 * X[:, 1:2]


def dense(widths=(8, 8, 1), **options):
    x = inputs = keras.Input((6,))
    for n in widths:
        x = keras.layers.Dense(n, **options)(x)
    return keras.Model(inputs, x)


def sparse(gate=None, control=None, learning_rate=1e-2, model=None):
    sparse = sparsity.sparsify(dense() if model is None else model, gate, control=control)
    optimizer = keras.optimizers.Adam(learning_rate)
    sparse.compile(optimizer, loss="mse")
    return sparse


def watched(model, n_epochs=10, data=(X, Y), callbacks=(), **options):
    """Findings of a training of 4 steps an epoch."""
    watch = FailureWatch()
    callbacks = [*callbacks, watch]
    options = {"epochs": n_epochs, "batch_size": 16, "verbose": 0, **options}
    model.fit(*data, callbacks=callbacks, **options)
    return watch.findings


def after(model, n_steps):
    """Findings of a model as it would be after so many steps that changed nothing."""
    if model.control is not None:
        model.control.n_steps.assign(n_steps)
    return failures(model, [{"step": n_steps, **model.gate_logs()}])


def only(findings, name):
    (found,) = findings
    assert found.name == name and found.remedy == REMEDIES[name]
    return found


HEALTHY = {
    "magnitude": (None, sparsity.MagnitudePruning.over(0.5, 48)),
    "target": (
        gates.Binary("threshold", learning_rate_multiplier=30.0, seed=0),
        sparsity.TargetDensity.over(0.6, 480, dual_rate=2.0),
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_has_no_findings(name, capsys):
    gate, control = HEALTHY[name]
    control = control and type(control).from_config(control.get_config())
    n_passes = 40 if name == "target" else 4
    data = np.tile(X, (n_passes, 1)), np.tile(Y, (n_passes, 1))
    assert watched(sparse(gate, control), 3, data, validation_data=(X, Y)) == []
    assert capsys.readouterr().out == ""


def close(model, *closed):
    """Closes links: pairs of a layer's number and an index into its mask."""
    for number, links in closed:
        gate = model.gated_layers[number].gate
        mask = np.ones(gate.mask_shape)
        mask[links] = 0
        gate.open.assign(mask)
    return model


ALL = np.s_[:]


def test_all_gates_closed():
    found = only(after(close(sparse("pruned"), (0, ALL), (1, ALL), (2, ALL)), 16), "all_closed")
    assert found.step == 16 and found.layer is None


def test_a_closed_layer_is_named_with_the_step_it_closed_at(capsys):
    class Close(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                close(self.model, (1, ALL))

    model = sparse("pruned")
    found = only(watched(model, 4, callbacks=[Close()]), "layer_collapse")
    assert (found.layer, found.step) == (model.gated_layers[1].name, 12)
    assert found.evidence == {"density": 0, "n_layers_without_path": 3}
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"layer_collapse in {found.layer}, step 12 (density 0, ")


def test_the_step_is_that_since_which_it_lasts():
    model = close(sparse("pruned"), (1, ALL))
    name = f"density/{model.gated_layers[1].name}"
    history = [{"step": k, name: float(k in (2, 4))} for k in range(1, 8)]
    assert only(failures(model, history), "layer_collapse").step == 5


def test_open_layers_without_a_path_through_them():
    """What the first one makes, the second one does not take."""
    model = close(sparse("pruned"), (0, np.s_[:, :4]), (1, np.s_[4:]))
    found = only(after(model, 4), "layer_collapse")
    assert found.layer == model.gated_layers[0].name
    assert found.evidence == {"density": 0.5, "n_layers_without_path": 3}


class Vae:
    """A VAE that stands still, and in which some latents carry nothing."""

    hidden, latent_dim, dead = 5, 4, [1, 3]
    images = RNG.uniform(size=(16, 4, 4, 1)).astype("float32")

    def __init__(self, gate="pruned", control=None):
        sizes = {"latent_dim": self.latent_dim, "hidden": self.hidden}
        self.vae = mlp_vae((4, 4, 1), gate=gate, control=control, **sizes)
        self.vae.compile(keras.optimizers.SGD(0.0))
        self.mean, self.log_var = (
            self.vae.encoder.get_layer(f"encoder_{n}") for n in ("z_mean", "z_log_var")
        )
        for head in (self.mean, self.log_var):
            kernel = np.ones((self.hidden, self.latent_dim))
            kernel[:, self.dead] = 0
            head._kernel.assign(kernel)
        first = self.vae.encoder.get_layer("encoder_dense_2")
        first.bias.assign(np.ones(self.hidden))

    def findings(self):
        return watched(self.vae, 1, (self.images,))


def test_dead_latents_that_cost():
    made = Vae()
    found = only(made.findings(), "dead_latents")
    links = 2 * (2 * made.hidden + made.hidden)  # two heads and the decoder's first layer
    assert found.evidence == {"n_latents": 2, "open_links": links}


def test_dead_latents_that_cost_nothing_are_no_failure():
    made = Vae()
    mask = np.ones((made.hidden, made.latent_dim))
    mask[:, made.dead] = 0
    made.mean.gate.open.assign(mask)
    made.log_var.gate.open.assign(mask)
    made.vae.decoder.get_layer("decoder_dense_1").gate.open.assign(mask.T)
    assert made.findings() == []


def test_nothing_is_known_of_latents_before_a_step():
    assert failures(Vae().vae, []) == []


WIDE = {"initial_density": 0.98, "seed": 0}


def test_gates_that_do_not_close():
    """Before the ramp has ended nobody can know."""
    model = sparse(gates.HardConcrete(**WIDE), sparsity.Strength(1e-3, ramp=(2, 6)))
    found = only(after(model, 5), "unfinished_phases")
    assert found.evidence == {"n_steps": 5, "last_step": 6}
    found = only(after(model, 7), "gates_do_not_close")
    assert found.evidence == {"share_wide_open": 1.0}


def test_gates_that_close_or_without_a_price_are_no_failure():
    free = sparse(gates.HardConcrete(**WIDE), sparsity.Strength(0.0, ramp=(2, 6)))
    assert after(free, 7) == []
    half = sparse(gates.HardConcrete(**WIDE), sparsity.Strength(1.0, ramp=(2, 6)))
    for layer in half.gated_layers:
        (log_alpha,) = layer.gate.trainable_variables
        closed = np.indices(log_alpha.shape).sum(axis=0) % 2
        log_alpha.assign(np.where(closed, -1.0, 1.0))
    assert after(half, 7) == []


@pytest.mark.parametrize("freeze", [None, 8])
def test_a_target_that_gates_do_not_reach(freeze):
    """The last cut brings them there all the same: what they were before it counts."""
    gate = gates.Binary(learning_rate_multiplier=1.0, seed=0)
    control = sparsity.TargetDensity(0.2, ramp=(2, 4), freeze=freeze, dual_rate=1e-3)
    model = sparse(gate, control, learning_rate=1e-4)
    found = {f.name: f.evidence for f in watched(model, 3)}
    assert found["gates_do_not_close"] == pytest.approx({"density": 1.0, "target_density": 0.2})
    assert sparsity.report(model).density == pytest.approx(0.2 if freeze else 1.0, abs=0.01)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_gap_between_trained_and_tested_gates(frozen):
    """P(open) is 0.55: half of the links are there in training, and all when tested."""
    gate = gates.Binary("bernoulli", initial_density=0.55, seed=0)
    control = sparsity.Strength(0.0, (0, 0), 4 if frozen else None)
    model = dense((1,), kernel_initializer="ones")
    model = sparse(gate, control, learning_rate=0.0, model=model)
    x = np.repeat(X[:, :1], 6, axis=1)
    y = x.sum(axis=1, keepdims=True)
    found = watched(model, 3, (x, y), validation_data=(x, y))
    if frozen:
        assert found == []
    else:
        gap = only(found, "gate_gap").evidence
        scale = float(model.gated_layers[0]._kernel.numpy()[0, 0])
        assert gap["tested"] == pytest.approx(np.square((scale - 1) * y).mean(), rel=1e-5)
        assert gap["tested"] > gap["trained"]


def gap(trained, tested, **others):
    return [{"step": 4, "undecided": 0.3, "elbo": -trained, "val_elbo": -tested, **others}]


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (gap(100.0, 102.1), True),
        (gap(100.0, 101.9), False),
        (gap(100.0, 50.0), False),
        (gap(-100.0, -97.9), True),
        (gap(-100.0, -98.1), False),
        (gap(100.0, 110.0, undecided=0.0), False),
        (gap(100.0, 110.0, learning=0.0), False),
        (gap(100.0, 110.0, learning=1.0), True),
    ],
)
def test_a_gap_is_2_percent_of_the_loss(history, found):
    names = [f.name for f in failures(sparse("pruned"), history)]
    assert names == (["gate_gap"] if found else [])


def swings(n_steps, size, n=7, **others):
    """A density that is on the other side of its target every `n_steps`."""
    row = {"learning": 1.0, "target_density": 0.2, **others}
    return [
        {"step": k * n_steps, "density": 0.2 + (-1) ** k * size, **row} for k in range(1, n + 1)
    ]


@pytest.mark.parametrize(
    ("history", "steps"),
    [
        (swings(200, 0.05), {"crossings": 6, "n_steps": 1_000}),
        (swings(100, 0.05, n=20), {"crossings": 6, "n_steps": 500}),
        (swings(201, 0.05), None),
        (swings(100, 0.05, n=6), None),
        (swings(100, 0.009, n=20), None),
        (swings(100, 0.05, n=20, learning=0.0), None),
    ],
    ids=["just", "fast", "slow", "few", "small", "frozen"],
)
def test_an_oscillating_multiplier(history, steps):
    found = failures(sparse("pruned"), history)
    if steps is None:
        assert found == []
    else:
        found = only(found, "oscillating_multiplier")
        assert found.evidence == steps and found.step == history[1]["step"]


CONTROLS = {
    "frozen": (sparsity.Strength(0.0, (2, 4), 10), 10),
    "never frozen": (sparsity.Strength(0.0, (2, 4)), 4),
    "pruning": (sparsity.MagnitudePruning(0.5, 2, 12), 12),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_run_that_is_shorter_than_its_phases(name):
    control, end = CONTROLS[name]
    model = sparse(control=control)
    found = only(after(model, end - 1), "unfinished_phases")
    assert found.evidence == {"n_steps": end - 1, "last_step": end}
    assert after(model, end) == []


def test_each_finding_is_said_once(capsys):
    """A training that goes on in a second `fit` is not over after the first."""
    model, watch = sparse(control=sparsity.MagnitudePruning(0.5, 2, 12)), FailureWatch()
    for n_steps in (4, 8, 12):
        model.fit(X, Y, batch_size=16, verbose=0, callbacks=[watch])
        assert [f.name for f in watch.findings] == ["unfinished_phases"] * (n_steps < 12)
    assert capsys.readouterr().out.count("unfinished_phases") == 1


def test_gates_that_are_no_numbers():
    model = sparse()
    model.gated_layers[1].gate.trainable_variables[0].assign(np.full((8, 8), np.nan))
    assert only(failures(model, []), "not_a_number").step == 0


@pytest.mark.parametrize("gate", ["pruned", "hard_concrete"])
def test_kernels_and_losses_that_are_no_numbers(gate):
    model = sparse(gate)
    assert failures(model, [{"step": 4, "loss": 1.0}]) == []
    assert only(failures(model, [{"step": 4, "loss": np.nan}]), "not_a_number").step == 4
    model.gated_layers[1].switched_weights[0].assign(np.full((8, 8), np.inf))
    only(failures(model, [{"step": 4, "loss": 1.0}]), "not_a_number")


def test_a_bound_that_is_exceeded_at_the_end():
    model = sparse(control=sparsity.Distortion(0.5, (2, 4), 8))
    for loss, exceeded in ((0.504, False), (0.506, True)):
        model.control.loss.variables[0].assign(loss)
        assert only(after(model, 7), "unfinished_phases")
        found = after(model, 8)
        assert [f.name for f in found] == ["bound_exceeded"] * exceeded
    assert found[0].evidence == pytest.approx({"loss": 0.506, "bound": 0.5})


def test_frozen_gates_under_a_control_that_wants_them_to_learn():
    model = dense()
    model.layers[2].trainable = False
    control = sparsity.TargetDensity.over(0.5, 40)
    found = {f.name: f for f in watched(sparse(control=control, model=model), 10)}
    assert found["frozen_gates"].layer == model.layers[2].name
    assert found["frozen_gates"].evidence == {"n_layers": 1, "of": 3}


def test_only_models_with_gates_can_be_watched():
    model = dense()
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"`FailureWatch` must be given to a model with gates"):
        model.fit(X, Y, callbacks=[FailureWatch()], verbose=0)
