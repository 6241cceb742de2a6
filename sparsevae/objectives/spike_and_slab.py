"""The spike-and-slab lasso: few latents for each feature."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import is_number
from sparsevae.layers import feature_mask
from sparsevae.objectives.around import Around
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting

_LEAST = 1e-6  # of eta and 1 - eta, whose logarithms are taken


def slab_probability(
    weights: tf.Tensor, eta: tf.Tensor, spike: float | tf.Tensor, slab: float | tf.Tensor
) -> tf.Tensor:
    """The E-step: P(gamma_kj = 1 given w_kj), float32 like `weights`.

    `eta psi_1(w) / (eta psi_1(w) + (1 - eta) psi_0(w))`, see `spike_and_slab_penalty`.
    """
    in_slab, in_spike = _log_parts(weights, eta, spike, slab)
    return tf.sigmoid(in_slab - in_spike)


def spike_and_slab_penalty(
    weights: tf.Tensor, eta: tf.Tensor, spike: float | tf.Tensor, slab: float | tf.Tensor
) -> tf.Tensor:
    """`-sum_kj log(eta_k psi_1(w_kj) + (1 - eta_k) psi_0(w_kj))`, a float32 scalar.

    `psi_1(w) = slab / 2 exp(-slab |w|)` and psi_0 with `spike`: minus log p(W given eta). That is
    the value of the EM bound after the E-step, `-sum p* log(eta psi_1 / p*) + (1 - p*)
    log((1 - eta) psi_0 / (1 - p*))` with p* the `slab_probability`, and the gradient is the
    bound's, `(p* slab + (1 - p*) spike) sign(w)`.

    Args:
        weights: `(latent_dim, n_features)`.
        eta: `(latent_dim,)`, above 0 and below 1.
        spike, slab: Rates of the Laplace densities, above 0.
    """
    parts = _log_parts(weights, eta, spike, slab)
    return -tf.reduce_sum(tf.reduce_logsumexp(tf.stack(parts), axis=0))


def _log_parts(weights, eta, spike, slab):
    """Logarithms of both terms of the mixture."""
    size, eta = tf.abs(tf.cast(weights, tf.float32)), tf.cast(eta, tf.float32)[:, None]
    in_slab = tf.math.log(eta) + tf.math.log(slab / 2) - slab * size
    in_spike = tf.math.log(1 - eta) + tf.math.log(spike / 2) - spike * size
    return in_slab, in_spike


@keras.saving.register_keras_serializable("sparsevae")
class SpikeAndSlab(Around):
    """Another objective's losses, minus the log prior of the decoder's feature mask W / n_data.

    For models whose decoder gives each feature j latents of its own, `w_j * z`, as
    `models.sparse_decoding_vae` (or any with a layer as `layers.feature_mask` says). The prior is a
    spike-and-slab lasso: w_kj has the density `gamma psi_1 + (1 - gamma) psi_0`, Laplace of a small
    rate, `slab`, and a large one, `spike`; gamma_kj ~ Bernoulli(eta_k), eta_k ~ Beta(a, b). Loss
    and gradient are those of the EM bound, see `spike_and_slab_penalty`. In every training step
    eta_k, which starts at 1/2, goes to its closed form
    `(a - 1 + sum_j p*_kj) / (a + b - 2 + n_features)`, with p* of the step's W; a latent with
    small weights has a small eta, and its weights are drawn to 0 the more.

    Model, prior, E-step and M-step are the paper's. Ours: one M-step of eta with each gradient
    step, eta kept in [1e-6, 1 - 1e-6], W as it is stored where it has gates. The authors' program
    has no rates in front of the exponentials of p*, and divides by the batch size, not by `n_data`.

    Args:
        objective: Any other; `BetaVAE(1.0)` by default.
        spike, slab: Rates above 0, `spike` at least `slab`, or Keras schedules.
        a, b: Of eta's prior, at least 1; None for b is the number of features.

    Raises:
        ValueError: for values out of range. In training, without `n_data`, or with a decoder that
            has no such layer, or several.

    References:
        Moran et al. 2021, Identifiable Deep Generative Models via Sparse Decoding, 2110.10804;
        Rockova and George 2018, The Spike-and-Slab LASSO. Defaults are those of the authors'
        program, the grid is ours.
    """

    grid: ClassVar[Grid] = {"spike": (10.0, 100.0, 1000.0, 10_000.0)}
    more_names = ("spike_and_slab_loss",)
    spike, slab = Setting(minimum=_LEAST), Setting(minimum=_LEAST)

    def __init__(
        self,
        objective: Objective | None = None,
        spike: float | keras.optimizers.schedules.LearningRateSchedule = 10.0,
        slab: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        a: float = 1.0,
        b: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(objective, **kwargs)
        self.spike, self.slab = spike, slab
        if is_number(spike) and is_number(slab) and not spike >= slab:
            raise ValueError(
                f"`spike` must be at least `slab`. Received: spike={spike!r}, slab={slab!r}"
            )
        for name, value in (("a", a), ("b", 1.0 if b is None else b)):
            if not (is_number(value) and 1 <= value < float("inf")):
                raise ValueError(
                    f"`{name}` must be finite and at least 1. Received: {name}={value!r}"
                )
        self.a, self.b = a, b

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.eta = self.add_weight(
            name="eta",
            shape=input_shape["z"][1:],
            initializer=keras.initializers.Constant(0.5),
            trainable=False,
            aggregation="only_first_replica",
        )

    def more(self, context: Context) -> dict[str, tf.Tensor]:
        if context.n_data is None:
            raise ValueError(
                "`n_data`, the size of the data set, must be given: SparseVAE(..., "
                "n_data=len(data)). Received: None"
            )
        weights = _mask_of(context.decoder)
        rates = [self.value_of(name, context.step) for name in ("spike", "slab")]
        eta = tf.convert_to_tensor(self.eta)
        penalty = spike_and_slab_penalty(weights, eta, *rates)
        if context.training:
            self._maximize(slab_probability(weights, eta, *rates))
        return {"spike_and_slab_loss": penalty / context.n_data}

    def _maximize(self, probability):
        """The M-step of eta."""
        n_features = probability.shape[1]
        b = n_features if self.b is None else self.b
        expected = tf.reduce_sum(probability, axis=1)
        eta = (self.a - 1 + expected) / (self.a + b - 2 + n_features)
        self.eta.assign(tf.clip_by_value(eta, _LEAST, 1 - _LEAST))

    def get_config(self) -> dict:
        return {**super().get_config(), "a": self.a, "b": self.b}


def _mask_of(decoder):
    """The only feature mask of a decoder, `(latent_dim, n_features)`."""
    layers = decoder._flatten_layers(include_self=False)
    found = [mask for layer in layers if (mask := feature_mask(layer)) is not None]
    if len(found) != 1:
        raise ValueError(
            "`SpikeAndSlab` needs a decoder with one mask of latents for each feature, as "
            f"models.sparse_decoding_vae has. Received: one with {len(found)} such layers"
        )
    return found[0]
