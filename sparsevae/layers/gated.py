"""What all gated layers share: the gate as a sub-layer, and K' = K * M."""

import math

import keras
from keras import ops

from sparsevae import gates


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

    def __init__(self, *args, gate="hard_concrete", **kwargs):
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

    def add_weight(self, *args, name=None, **kwargs):
        if name == "kernel":
            kwargs["autocast"] = False  # multiplied in float32, see `gated_kernel`
        return super().add_weight(*args, name=name, **kwargs)

    def build(self, input_shape):
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

    def call(self, inputs, training=None):
        outputs = self._linear(inputs, self.gated_kernel(training=bool(training)))
        if self.use_bias:
            last = getattr(self, "data_format", "channels_last") == "channels_last"
            shape = (-1,) if last else (-1, *(1,) * self.rank)
            outputs = ops.add(outputs, ops.reshape(self.bias, shape))
        return outputs if self.activation is None else self.activation(outputs)

    def gated_kernel(self, training=False):
        """K * M in the layer's compute dtype, shaped like the stored kernel."""
        product = self.gate(self._whole_kernel, transposed=self._transposed, training=training)
        return ops.cast(product, self.compute_dtype)

    @property
    def parameters_per_link(self):
        """Kernel weights behind one gate: 1 for dense layers, the window for convolutions."""
        return math.prod(getattr(self, "kernel_size", (1,)))

    def link_cost(self):
        """What a control charges for each link, float32 `(in_channels, out_channels)`."""
        energy = ops.square(ops.cast(self._whole_kernel, "float32"))
        energy = ops.sum(energy, axis=tuple(range(len(energy.shape) - 2)))
        return self.gate.cost(ops.transpose(energy) if self._transposed else energy)

    def quantize(self, *args, **kwargs):
        raise NotImplementedError(
            f"{type(self).__name__} cannot be quantized: quantization would skip the mask. Make "
            "stock layers of the model first: sparsevae.sparsity.fold(model)."
        )

    def get_config(self):
        return {**super().get_config(), "gate": keras.saving.serialize_keras_object(self.gate)}

    def stock_config(self):
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
