"""What all gated layers share: the gate as a sub-layer, and K' = K * M."""

import math
from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.checks import check_choice
from sparsevae.gates.step import Step
from sparsevae.training import read

GRANULARITIES = ("links", "weights", "channels")


class GatedLayer:
    """Mixin before a stock Keras layer: its kernel is multiplied by the mask of a gate.

    The stored kernel stays raw and the gate is a sub-layer, so that files hold both once. The
    product is formed in float32 and cast last. Bias and activation are those of the stock layer.

    Args:
        *args, **kwargs: Those of the stock layer.
        gate: Name of a gate, a `Gate` of this layer's own, or a saved config.
        granularity: What one gate switches. `"links"`: an input channel's whole share in an output
            channel, mask `(in_channels, out_channels)`. `"weights"`: one kernel weight, mask
            `(window * in_channels, out_channels)`, the window's positions outermost.
            `"channels"`: an output channel with its bias, mask `(1, out_channels)`; a closed one
            is the activation of 0 everywhere.

    Attributes:
        multiplications_per_gate: Multiplications behind one gate for one observation; None where
            the size of an image is unknown.
    """

    stock_class: type[keras.layers.Layer]
    lora_enabled = False  # stock layers that know LoRA set their own
    _transposed = False  # whether the stored kernel ends in (out_channels, in_channels)
    _kernel_name = "kernel"  # of the weight that the mask multiplies

    def __init__(
        self, *args: Any, gate: Any = "hard_concrete", granularity: str = "links", **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        if (refusal := self.refusal(self)) is not None:
            raise ValueError(refusal)
        check_choice("granularity", granularity, GRANULARITIES)
        self.granularity = granularity
        self.gate = gates.get(gate)
        if self.gate is gate and (gate.built or gate.taken):
            raise ValueError(
                "`gate` already belongs to a layer; each layer needs a gate of its own. "
                f"Received: gate={self.gate.name!r}. Use `gate.fresh(seed)` for a copy."
            )
        self.gate.taken = True

    @classmethod
    def refusal(cls, layer: keras.layers.Layer) -> str | None:
        """Why a layer like `layer`, of the stock class, cannot be gated; None where it can."""
        if getattr(layer, "groups", 1) != 1:
            return (
                "Gated convolutions need groups=1: a mask is one gate for each pair of an input "
                f"and an output channel. Received: groups={layer.groups!r}"
            )
        if layer.quantization_mode is not None:
            return (
                "Gated layers cannot be quantized: quantization would skip the mask. "
                f"Received: dtype={layer.dtype_policy.name!r}"
            )
        return None

    def add_weight(self, *args: Any, name: str | None = None, **kwargs: Any) -> keras.Variable:
        if name == self._kernel_name or (name == "bias" and self.granularity == "channels"):
            # multiplied in float32, see `gated_weights`; assigned inside a replica, see `begin`
            kwargs |= {"autocast": False, "aggregation": "mean"}
        return super().add_weight(*args, name=name, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        *window, n_in, n_out = self.kernel_shape
        n_rows = {"links": n_in, "weights": math.prod(window) * n_in, "channels": 1}
        shape = (n_rows[self.granularity], n_out)
        if not self.gate.built:  # a gate from a saved config arrives built
            self.gate.build(shape)
        elif self.gate.mask_shape != shape:
            raise ValueError(
                f"The gate of layer {self.name!r} must have a mask of the shape {shape}, with "
                f"granularity={self.granularity!r}. Received: a gate built for "
                f"{self.gate.mask_shape}"
            )
        sizes = self._positions(input_shape)
        self.multiplications_per_gate = (
            None if None in sizes else math.prod(sizes) * self.parameters_per_gate
        )
        self._scale(1 / self.gate.initial_mask)

    @property
    def waits(self) -> bool:
        """Whether `hold` and `begin` make a difference: the gate's samples have another mean."""
        return self._scale_of_begin != 1

    def hold(self) -> None:
        """Makes a new layer the stock layer until its gate begins to learn; see `begin`.

        A new layer's kernel is divided by the expected mask, as its gate is learning. Under a
        control that first holds gates open it must not be.
        """
        if not self.waits:
            return
        n_draws, begun = read(self.gate.n_draws, self.gate.begun)
        if int(n_draws) == 0 and int(begun):
            self._scale(self._scale_of_begin)
            self.gate.begun.assign(0.0)

    def begin(self, learning: Any) -> None:
        """Divides the kernel by the expected mask, once, as the gate begins to learn.

        So the layer goes on from where it was, on average over its samples.

        Args:
            learning: Boolean scalar; without it nothing changes.
        """
        begins = ops.logical_and(learning, ops.less(self.gate.begun, 0.5))
        self._scale(ops.where(begins, 1 / self._scale_of_begin, 1.0))
        self.gate.begun.assign(ops.maximum(self.gate.begun, ops.cast(begins, "float32")))

    def release(self) -> None:
        """Lets the gate learn, as without a control; see `begin`."""
        if self.waits:
            self.begin(True)
        self.gate.learning.assign(1.0)

    @property
    def _scale_of_begin(self):
        return self.gate.initial_mask / self.gate.initial_test_mask

    def _scale(self, factor):
        """Multiplies what the mask multiplies."""
        for weight in self.switched_weights:
            weight.assign(ops.multiply(weight, factor))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        # One mask for all uses of this layer in one call of the model.
        step = vars(self._get_call_context()).setdefault("step_of_gates", Step())
        with gates.one_step(step):
            kernel, bias = self.gated_weights(training=bool(training))
        outputs = self._linear(inputs, kernel)
        if bias is not None:
            outputs = ops.add(outputs, ops.reshape(bias, self._bias_shape))
        return outputs if self.activation is None else self.activation(outputs)

    def gated_weights(self, training: bool = False) -> tuple[Any, Any]:
        """K * M in the layer's compute dtype, and the bias, or None; shaped as stored.

        The bias is multiplied too where gates switch channels.
        """
        costs = gates.present_step().costs
        priced = training and gates.present_step().priced and id(self) not in costs
        switched, transposed = self._switched()
        product = self.gate(
            switched,
            transposed=transposed,
            training=training,
            dtype=self.compute_dtype,
            priced=priced,
        )
        if priced:
            product, costs[id(self)] = product
        if self.granularity == "links":
            return product, self.bias
        if not self._switches_bias:
            return self._stored(product), self.bias
        return self._stored(product[:-1]), ops.reshape(product[-1], self.bias.shape)

    def gated_kernel(self, training: bool = False) -> Any:
        """K * M in the layer's compute dtype, shaped like the stored kernel."""
        return self.gated_weights(training)[0]

    def mean_cost(self) -> Any:
        """Mean over gates of `link_cost`, a scalar; of a step that is priced, as noted there."""
        costs = gates.present_step().costs
        return costs[id(self)] if id(self) in costs else ops.mean(self.link_cost())

    def link_cost(self) -> Any:
        """What a control charges for each gate, float32 of the mask's shape."""
        return self.gate.link_cost(*self._switched())

    @property
    def parameters_per_gate(self) -> int:
        """Kernel weights behind one gate."""
        return math.prod(self.kernel_shape) // math.prod(self.gate.mask_shape)

    @property
    def links_per_gate(self) -> int:
        """What one gate counts for among links: all inputs of a channel; a weight is a link."""
        return self.kernel_shape[-2] if self.granularity == "channels" else 1

    def link_mask(self, training: bool = False) -> Any:
        """Float32 `(in_channels, out_channels)` in [0, 1]: mean mask of each link's weights."""
        return self._of_links(self.gate.mask(training), ops.mean)

    def open_links(self) -> Any:
        """Boolean `(in_channels, out_channels)`: the test rule leaves a weight of the link open."""
        return self._of_links(self.gate.support(), ops.any)

    def _of_links(self, values, over_window):
        n_in, n_out = self.kernel_shape[-2:]
        if self.granularity == "channels":
            return ops.broadcast_to(values, (n_in, n_out))
        return over_window(ops.reshape(values, (-1, n_in, n_out)), axis=0)

    def kernel_mask(self, mask: Any = None) -> Any:
        """A mask like the gate's, by default that of the test rule, as it multiplies the kernel."""
        mask = self.gate.mask(training=False) if mask is None else mask
        if self.granularity == "weights":
            return self._stored(mask)
        return ops.transpose(mask) if self._transposed else mask

    @property
    def switched_weights(self) -> list[keras.Variable]:
        """The stored weights that gates switch: the kernel, and for channels the bias."""
        return [self._raw_kernel, *([self.bias] if self._switches_bias else [])]

    def switched_by(self, mask: Any) -> list[Any]:
        """`switched_weights` times a mask like the gate's, float32."""
        masks = [self.kernel_mask(mask), ops.reshape(mask, (-1,))]
        return [ops.multiply(w, m) for w, m in zip(self.switched_weights, masks, strict=False)]

    def energy(self, kernel: Any = None) -> Any:
        """Sum of squares of the kernel weights that each gate multiplies, float32 like its mask.

        Args:
            kernel: Shaped like the stored kernel, such as its gradient; None is the kernel.
        """
        kernel = self._raw_kernel if kernel is None else kernel
        energy = ops.square(ops.cast(kernel, "float32"))
        energy = ops.swapaxes(energy, -1, -2) if self._transposed else energy
        if self.granularity == "links":
            return ops.sum(energy, axis=tuple(range(len(energy.shape) - 2)))
        rows = ops.reshape(energy, (-1, self.kernel_shape[-1]))
        return rows if self.granularity == "weights" else ops.sum(rows, axis=0, keepdims=True)

    def _switched(self):
        """What the gate multiplies, and whether its last axes are (out, in) channels.

        The kernel itself where gates switch links; else its rows, and the bias as the last row
        where that is switched too.
        """
        if self.granularity == "links":
            return self._whole_kernel, self._transposed
        kernel = self._whole_kernel
        kernel = ops.swapaxes(kernel, -1, -2) if self._transposed else kernel
        rows = ops.reshape(kernel, (-1, self.kernel_shape[-1]))
        if self._switches_bias:
            rows = ops.cast(rows, self.bias.dtype)
            rows = ops.concatenate([rows, ops.reshape(self.bias, (1, -1))])
        return rows, False

    def _stored(self, rows):
        """The inverse: rows `(window * in_channels, out_channels)` in the shape of the kernel."""
        kernel = ops.reshape(rows, self.kernel_shape)
        return ops.swapaxes(kernel, -1, -2) if self._transposed else kernel

    @property
    def _switches_bias(self):
        return self.granularity == "channels" and self.bias is not None

    @property
    def kernel_shape(self):
        """`(*window, in_channels, out_channels)`, however the kernel is stored."""
        *window, first, last = self._raw_kernel.shape
        return (*window, last, first) if self._transposed else (*window, first, last)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__} cannot be quantized: quantization would skip the mask. Make "
            "stock layers of the model first: sparsevae.sparsity.harden(model)."
        )

    def get_config(self) -> dict:
        gate = keras.saving.serialize_keras_object(self.gate)
        return {**super().get_config(), "gate": gate, "granularity": self.granularity}

    def stock_config(self) -> dict:
        """Config of the stock layer without gate and LoRA; its weights are `stock_weights()`."""
        without = ("gate", "granularity", "lora_rank", "lora_alpha")
        return {key: value for key, value in self.get_config().items() if key not in without}

    def stock_weights(self) -> list[Any]:
        """Weights of the stock layer that does what this one does by the test rule, in order."""
        kernel, bias = self.gated_weights(training=False)
        return [ops.cast(w, self.variable_dtype) for w in (kernel, bias) if w is not None]

    @property
    def _raw_kernel(self):
        return self._kernel

    @property
    def _whole_kernel(self):
        """The stored kernel, and LoRA's share where it is switched on."""
        return self.kernel if self.lora_enabled else self._raw_kernel

    @property
    def _bias_shape(self):
        """Shape in which the bias broadcasts against the outputs."""
        last = getattr(self, "data_format", "channels_last") == "channels_last"
        return (-1,) if last else (-1, *(1,) * self.rank)

    def _linear(self, inputs, kernel):
        raise NotImplementedError

    def _positions(self, input_shape):
        """Sizes of the axes at whose every position the kernel is applied."""
        raise NotImplementedError
