"""What goes wrong while gates close: what it looks like, and what to do about it."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.controlled import Controlled
from sparsevae.sparsity.density_report import report
from sparsevae.sparsity.distortion import Distortion
from sparsevae.sparsity.links import layer_densities, open_links, share_of_links
from sparsevae.sparsity.liveness import graph_of
from sparsevae.sparsity.phases import Phased
from sparsevae.sparsity.prices import learnable

KL_OF_DEAD = 0.01  # nats
WIDE_OPEN = 0.9  # P(open)
MARGIN = 0.1  # of a density over its target, when gates are frozen
GAP = 0.02  # of the loss
MISSED = 0.01  # of a bound
UNDECIDED = 0.01  # share of gates without which trained and tested masks are the same
WINDOW, CROSSINGS, DEAD_BAND = 1_000, 5, 0.01  # steps; times; of the density

REMEDIES = {
    "not_a_number": "lower the learning rate; keep gates in float32; give Adafactor "
    "epsilon_1=1e-16",
    "all_closed": "begin the ramp later, lower the price, or aim at a density (TargetDensity); "
    "start from a dense model",
    "layer_collapse": "give each layer its own share (scope='layer' or 'erk'), or a higher density",
    "dead_latents": "close both sides of these latents: train on with the control, or lower the "
    "weight of the KL so that they are used",
    "gates_do_not_close": "raise the gates' learning_rate_multiplier 10 to 50 times, begin at a "
    "lower initial_density, raise the price or dual_rate, or train longer",
    "gate_gap": "freeze the gates for the last 10 to 20 % of the run, or anneal their temperature",
    "oscillating_multiplier": "divide dual_rate by 3",
    "bound_exceeded": "give the control more steps, or the weights more after the freeze "
    "(freeze_at); use gates without noise, as its default; or allow more",
    "frozen_gates": "unfreeze these layers, leave them out by where= of sparsify, or reckon with a "
    "target of the gates that can learn",
    "unfinished_phases": "train for as many steps as the control was laid out for, or lay it out "
    "by .over(..., n_steps)",
}

History = Sequence[Mapping[str, float]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """A failure, by name; prints as one line.

    Attributes:
        name: One of `REMEDIES`.
        step: At which it was first to be seen.
        layer: Name of the layer; None for the whole model.
        evidence: Numbers that show it, by name.
        remedy: What to do.
    """

    name: str
    step: int
    layer: str | None
    evidence: dict[str, float]
    remedy: str

    def __str__(self) -> str:
        place = "" if self.layer is None else f" in {self.layer}"
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.evidence.items())
        return f"{self.name}{place}, step {self.step:,} ({shown}): {self.remedy}"


def failures(model: Controlled, history: History) -> list[Finding]:
    """What has gone wrong in a training that has ended; empty if nothing has.

    `layer_collapse` (no live path through a layer), `all_closed`, `dead_latents` (KL under 0.01
    nats, with open links to or from them), `gates_do_not_close`, `gate_gap` (a loss more than 2 %
    worse with the gates of the test rule), `oscillating_multiplier`, `bound_exceeded` (1 % over
    that of a `Distortion`), `frozen_gates` (under a control of gates that learn),
    `unfinished_phases`, `not_a_number` (gates, kernels or the loss). Costs one walk over the
    model's graph.

    Args:
        model: With gates; without any there is nothing to find.
        history: What `fit` logged, a dict an epoch, each with its `step`; of the gap nothing is
            known without `val_loss`, or `val_elbo` of a VAE.
    """
    layers = model.gated_layers
    if not layers:
        return []
    step = int(history[-1]["step"]) if history else 0
    if not _finite(layers, history):
        return [_finding("not_a_number", step)]
    detectors = (_closed, _dead_latents, _open, _gap, _oscillation, _bound, _frozen, _unfinished)
    return [found for detect in detectors for found in detect(model, history, step)]


def _finite(layers, history):
    if history and not math.isfinite(history[-1].get("loss", 0.0)):
        return False
    tensors = [(layer.gate.open_probability(), *layer.switched_weights) for layer in layers]
    return all(np.isfinite(_numpy(tensor)).all() for tensor in itertools.chain(*tensors))


def _finding(name, step, layer=None, **evidence):
    numbers = {key: float(value) for key, value in evidence.items()}
    return Finding(name, int(step), layer, numbers, REMEDIES[name])


def _numpy(tensor):
    return ops.convert_to_numpy(tensor)


def _closed(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    densities = {name: float(value) for name, value in layer_densities(model).items()}
    if not any(densities.values()):
        since = _since(history, lambda row: row.get("density") == 0, step)
        yield _finding("all_closed", since, density=0)
        return
    effective = _effective(model, densities)
    dead = [name for name, value in effective.items() if value == 0]
    closed = [name for name in dead if densities[name] == 0]
    for name in closed or dead[:1]:  # the others follow from these
        since = _since(history, lambda row, n=name: row.get(f"density/{n}") == 0, step)
        evidence = {"density": densities[name], "n_layers_without_path": len(dead)}
        yield _finding("layer_collapse", since, name, **evidence)


def _effective(model, densities):
    """Effective density of each gated layer; the nominal one where no graph can be followed."""
    try:
        table = report(model).table
    except ValueError:
        return densities
    gated = table[table.gated]
    return dict(zip(densities, gated.effective_density.astype(float), strict=True))


def _since(history, holds, step):
    """Step from which on it held in every epoch to the last."""
    rows = list(itertools.takewhile(holds, reversed(history)))
    return rows[-1]["step"] if rows else step


def _dead_latents(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    kl = model.kl_per_latent() if hasattr(model, "kl_per_latent") else None
    if kl is None:
        return
    links = _links_of_latents(*model.networks)
    costly = (np.asarray(kl) < KL_OF_DEAD) & (links > 0)
    if costly.any():
        yield _finding("dead_latents", step, n_latents=costly.sum(), open_links=links[costly].sum())


def _links_of_latents(encoder, decoder):
    """Open links of gated layers that make each latent or take it, integers `(latent_dim,)`."""
    links = np.zeros(encoder.outputs[0].shape[-1], int)
    made, taken = graph_of(encoder), graph_of(decoder)
    for node in made.nodes:
        if isinstance(node.call.layer, GatedLayer) and {*node.outputs} & {*made.outputs}:
            links += open_links(node.call.layer).sum(axis=0)
    for node in taken.nodes:
        if isinstance(node.call.layer, GatedLayer) and {*node.inputs} & {*taken.inputs}:
            links += open_links(node.call.layer).sum(axis=1)
    return links


def _open(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    control, layers = model.control, learnable(model.gated_layers)
    if not isinstance(control, Phased) or not layers or not history:
        return
    if isinstance(control, Distortion):  # what it leaves open is for the bound to say
        return
    if int(_numpy(control.n_steps)) < control.ramp[1]:
        return
    last = history[-1]
    target = last.get("target_density")
    if target is not None:  # a last cut brings frozen gates to the target, whatever they were
        density = last.get("density_before_cut") if not last["learning"] else last["density"]
        if density > target + MARGIN:
            yield _finding("gates_do_not_close", step, density=density, target_density=target)
        return
    if max(row.get("sparsity_strength", math.inf) for row in history) == 0:
        return
    wide = share_of_links(layers, lambda layer: layer.gate.open_probability() > WIDE_OPEN)
    if (share := float(_numpy(wide))) > 0.5:
        yield _finding("gates_do_not_close", step, share_wide_open=share)


def _gap(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    last = history[-1] if history else {}
    if not last.get("learning", 1) or last.get("undecided", 0) < UNDECIDED:
        return
    if "val_elbo" in last:
        trained, tested = -last["elbo"], -last["val_elbo"]
    elif "val_loss" in last:
        trained, tested = last["loss"] - _penalty(model), last["val_loss"]
    else:
        return
    if tested - trained > GAP * abs(trained):
        yield _finding("gate_gap", step, trained=trained, tested=tested)


def _penalty(model):
    """What the control adds to the loss in training only."""
    control = model.control
    return 0.0 if control is None else float(_numpy(control.penalty(model.gated_layers)))


def _oscillation(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    if isinstance(model.control, Distortion):  # its target moves to and fro
        return
    rows = [row for row in history if row.get("learning") and "target_density" in row]
    sides = [(row["step"], row["density"] - row["target_density"]) for row in rows]
    sides = [(at, distance > 0) for at, distance in sides if abs(distance) > DEAD_BAND]
    crossed = [at for (_, before), (at, now) in itertools.pairwise(sides) if before != now]
    for first, last in zip(crossed, crossed[CROSSINGS:], strict=False):
        if last - first <= WINDOW:
            yield _finding(
                "oscillating_multiplier", first, crossings=CROSSINGS + 1, n_steps=last - first
            )
            return


def _bound(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    control = model.control
    if not isinstance(control, Distortion) or int(_numpy(control.n_steps)) < control.last_step:
        return
    loss = float(_numpy(control.loss.value))
    if loss > (1 + MISSED) * control.bound:
        yield _finding("bound_exceeded", step, loss=loss, bound=control.bound)


def _frozen(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    layers = [layer for layer in model.gated_layers if layer.gate.learns]
    frozen = [layer for layer in layers if not layer.gate.trainable_variables]
    if frozen and model.control is not None:
        numbers = {"n_layers": len(frozen), "of": len(layers)}
        yield _finding("frozen_gates", step, frozen[0].name, **numbers)


def _unfinished(model: Controlled, history: History, step: int) -> Iterator[Finding]:
    if model.control is None:
        return
    n_steps, end = int(_numpy(model.control.n_steps)), model.control.last_step
    if n_steps < end:
        yield _finding("unfinished_phases", n_steps, n_steps=n_steps, last_step=end)


class FailureWatch(keras.callbacks.Callback):
    """Says at the end of training what went wrong with the gates, each once, one line.

    For models with a control on any backend: `SparseModel`, `SparseVAE`. See `failures`.

    Attributes:
        findings: List of `Finding`, of the training that ended last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []
        self._history: list[dict[str, Any]] = []
        self._said: set[tuple] = set()

    def set_model(self, model: keras.Model) -> None:
        if not isinstance(model, Controlled):
            raise TypeError(
                "`FailureWatch` must be given to a model with gates, as sparsify(model) makes "
                f"one. Received: {type(model).__name__}"
            )
        super().set_model(model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._history.append({"step": int(_numpy(self.model.optimizer.iterations)), **(logs or {})})

    def on_train_end(self, logs: dict | None = None) -> None:
        self.findings = failures(self.model, self._history)
        for found in self.findings:
            if (found.name, found.layer) not in self._said:
                self._said.add((found.name, found.layer))
                print(found)
