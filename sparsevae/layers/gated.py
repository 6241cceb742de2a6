"""What all gated layers share: the gate as a sub-layer, and K' = K * M."""

import math
from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.gates.step import Step
from sparsevae.training import read


class GatedLayer:
    """Mixin before a stock Keras layer: its kernel is multiplied by the mask of a gate.

    The stored kernel stays raw and the gate is a sub-layer, so that files hold both once. The
    product is formed in float32 and cast last. Bias and activation are those of the stock layer.

    Args:
        *args, **kwargs: Those of the stock layer.
        gate: Name of a gate, a `Gate` of this layer's own, or a saved config.
    """

    stock_class: type[keras.layers.Layer]
    lora_enabled = False  # stock layers that know LoRA set their own
    _transposed = False  # whether the stored kernel ends in (out_channels, in_channels)

    def __init__(self, *args: Any, gate: Any = "hard_concrete", **kwargs: Any):
        super().__init__(*args, **kwargs)
        if getattr(self, "groups", 1) != 1:
            raise ValueError(
                "Gated convolutions need groups=1: a mask is one gate for each pair of an input "
                f"and an output channel. Received: groups={self.groups!r}"
            )
        if self.quantization_mode is not None:
            raise ValueError(
                "Gated layers cannot be quantized: quantization would skip the mask. "
                f"Received: dtype={self.dtype_policy.name!r}"
            )
        self.gate = gates.get(gate)
        if self.gate is gate and (gate.built or gate.taken):
            raise ValueError(
                "`gate` already belongs to a layer; each layer needs a gate of its own. "
                f"Received: gate={self.gate.name!r}. Use `gate.fresh(seed)` for a copy."
            )
        self.gate.taken = True

    def add_weight(self, *args: Any, name: str | None = None, **kwargs: Any) -> keras.Variable:
        if name == "kernel":
            # multiplied in float32, see `gated_kernel`; assigned inside a replica, see `begin`
            kwargs |= {"autocast": False, "aggregation": "mean"}
        return super().add_weight(*args, name=name, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        axis = 1 if getattr(self, "data_format", None) == "channels_first" else -1
        shape = (input_shape[axis], self._out_channels)
        if not self.gate.built:  # a gate from a saved config arrives built
            self.gate.build(shape)
        elif self.gate.mask_shape != shape:
            raise ValueError(
                f"The gate of layer {self.name!r} must have a mask of the shape {shape} of its "
                f"(in_channels, out_channels). Received: a gate built for {self.gate.mask_shape}"
            )
        self.multiplications_per_link = self._multiplications_per_link(input_shape)
        kernel = self._raw_kernel
        kernel.assign(kernel / self.gate.initial_mask)

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
            self._raw_kernel.assign(self._raw_kernel * self._scale_of_begin)
            self.gate.begun.assign(0.0)

    def begin(self, learning: Any) -> None:
        """Divides the kernel by the expected mask, once, as the gate begins to learn.

        So the layer goes on from where it was, on average over its samples.

        Args:
            learning: Boolean scalar; without it nothing changes.
        """
        begins = ops.logical_and(learning, ops.less(self.gate.begun, 0.5))
        scale = ops.where(begins, 1 / self._scale_of_begin, 1.0)
        self._raw_kernel.assign(ops.multiply(self._raw_kernel, scale))
        self.gate.begun.assign(ops.maximum(self.gate.begun, ops.cast(begins, "float32")))

    def release(self) -> None:
        """Lets the gate learn, as without a control; see `begin`."""
        if self.waits:
            self.begin(True)
        self.gate.learning.assign(1.0)

    @property
    def _scale_of_begin(self):
        return self.gate.initial_mask / self.gate.initial_test_mask

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        # One mask for all uses of this layer in one call of the model.
        step = vars(self._get_call_context()).setdefault("step_of_gates", Step())
        with gates.one_step(step):
            kernel = self.gated_kernel(training=bool(training))
        outputs = self._linear(inputs, kernel)
        if self.use_bias:
            last = getattr(self, "data_format", "channels_last") == "channels_last"
            shape = (-1,) if last else (-1, *(1,) * self.rank)
            outputs = ops.add(outputs, ops.reshape(self.bias, shape))
        return outputs if self.activation is None else self.activation(outputs)

    def gated_kernel(self, training: bool = False) -> Any:
        """K * M in the layer's compute dtype, shaped like the stored kernel."""
        costs = gates.present_step().costs
        priced = training and gates.present_step().priced and id(self) not in costs
        product = self.gate(
            self._whole_kernel,
            transposed=self._transposed,
            training=training,
            dtype=self.compute_dtype,
            priced=priced,
        )
        if priced:
            product, costs[id(self)] = product
        return product

    def mean_cost(self) -> Any:
        """Mean over links of `link_cost`, a scalar; of a step that is priced, as noted there."""
        costs = gates.present_step().costs
        return costs[id(self)] if id(self) in costs else ops.mean(self.link_cost())

    @property
    def parameters_per_link(self) -> int:
        """Kernel weights behind one gate: 1 for dense layers, the window for convolutions."""
        return math.prod(getattr(self, "kernel_size", (1,)))

    def link_cost(self) -> Any:
        """What a control charges for each link, float32 `(in_channels, out_channels)`."""
        return self.gate.link_cost(self._whole_kernel, self._transposed)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__} cannot be quantized: quantization would skip the mask. Make "
            "stock layers of the model first: sparsevae.sparsity.fold(model)."
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "gate": keras.saving.serialize_keras_object(self.gate)}

    def stock_config(self) -> dict:
        """Config of the stock layer without gate and LoRA; its kernel is `gated_kernel()`."""
        without = ("gate", "lora_rank", "lora_alpha")
        return {key: value for key, value in self.get_config().items() if key not in without}

    @property
    def _raw_kernel(self):
        return self._kernel

    @property
    def _whole_kernel(self):
        """The stored kernel, and LoRA's share where it is switched on."""
        return self.kernel if self.lora_enabled else self._raw_kernel

    @property
    def _out_channels(self):
        return self.filters

    def _linear(self, inputs, kernel):
        raise NotImplementedError

    def _multiplications_per_link(self, input_shape):
        """Multiplications of one link for one observation; None where a size is unknown."""
        sizes = self._positions(input_shape)
        return None if None in sizes else math.prod(sizes) * self.parameters_per_link

    def _positions(self, input_shape):
        """Sizes of the axes at whose every position the kernel is applied."""
        raise NotImplementedError
