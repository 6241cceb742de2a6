"""Small random gated models, in which every link on a live path does change an output."""

import keras
import numpy as np
from keras import layers

from sparsevae import gates
from sparsevae.layers import GatedConv2D, GatedConv2DTranspose, GatedDense

IMAGE = (4, 4, 3)


class Drawn:
    """A model of about `n_layers` layers, drawn from a seed.

    Attributes:
        model: Functional, tanh throughout, masks random, one or two outputs.
        tensors: Its symbolic tensors, by name of the layer that makes them.
    """

    def __init__(self, seed, n_layers, use_bias):
        self.rng = np.random.default_rng(seed)
        self.more = {"use_bias": use_bias, "activation": "tanh"}
        self.tensors = {}
        inputs = x = keras.Input(IMAGE if self.rng.random() < 0.7 else (6,))
        earlier = []
        for _ in range(n_layers):
            earlier.append(x)
            x = self.step(x, earlier)
        outputs = [self.gated(x)]
        if self.rng.random() < 0.5:
            outputs.append(self.gated(earlier[self.rng.integers(len(earlier))]))
        self.model = keras.Model(inputs, outputs)
        for weight in self.model.weights:
            if weight.name in ("bias", "beta", "moving_mean") and use_bias:
                weight.assign(self.rng.normal(size=weight.shape))

    def apply(self, layer, *given):
        made = layer(given[0] if len(given) == 1 else list(given))
        self.tensors[layer.name] = made
        return made

    def gate(self, n_inputs, n_outputs):
        return gates.Fixed(self.rng.random((n_inputs, n_outputs)) < self.rng.uniform(0.2, 0.6))

    def gated(self, x):
        n_inputs, n_outputs = x.shape[-1], int(self.rng.integers(3, 6))
        gate = {"gate": self.gate(n_inputs, n_outputs), **self.more}
        if len(x.shape) == 2 or self.rng.random() < 0.3:
            return self.apply(GatedDense(n_outputs, **gate), x)
        if self.rng.random() < 0.3 and x.shape[1] <= 4:
            return self.apply(GatedConv2DTranspose(n_outputs, 2, strides=2, **gate), x)
        return self.apply(GatedConv2D(n_outputs, 2, padding="same", **gate), x)

    def step(self, x, earlier):
        if self.rng.random() < 0.5:
            return self.gated(x)
        if self.rng.random() < 0.4:
            return self.joined(x, earlier)
        return self.apply(self.stock(x), x)

    def joined(self, x, earlier):
        alike = [y for y in earlier if y.shape == x.shape]
        if len(alike) > 1 and self.rng.random() < 0.5:
            return self.apply(layers.Add(), x, alike[0])
        fitting = [y for y in earlier if y.shape[:-1] == x.shape[:-1]]
        return self.apply(layers.Concatenate(), x, fitting[self.rng.integers(len(fitting))])

    def stock(self, x):
        kinds = [layers.BatchNormalization]
        if len(x.shape) == 2:
            kinds += [lambda: layers.Rescaling(1.5)]
            if x.shape[-1] % 4 == 0:
                kinds += [lambda: layers.Reshape((2, 2, -1))]
        else:
            kinds += [layers.Flatten, layers.GlobalAveragePooling2D]
            kinds += [lambda: layers.DepthwiseConv2D(2, padding="same", **self.more)]
            if x.shape[1] > 1:
                kinds += [lambda: layers.AveragePooling2D(2), lambda: layers.Permute((2, 1, 3))]
            if x.shape[1] <= 4:
                kinds += [lambda: layers.UpSampling2D(2), lambda: layers.ZeroPadding2D(1)]
        return kinds[self.rng.integers(len(kinds))]()
