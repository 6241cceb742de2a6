"""A data set whose images are its factors, and encoders with known answers."""

import numpy as np

from sparsevae.data import FactorSpace, GroundTruthData


class FactorImages(GroundTruthData):
    """Images `(1, n_factors, 1)`: pixel k is factor k."""

    def __init__(self, sizes=(8, 8, 8, 8), kinds=None):
        space = FactorSpace([f"factor{k}" for k in range(len(sizes))], sizes, kinds=kinds)
        super().__init__("factors", "test", space, (1, len(sizes), 1))

    def images(self, indices):
        return self.factors(indices).astype(np.uint8).reshape(-1, *self.image_shape)


def standardized(images, sizes=(8, 8, 8, 8)):
    """Factors of mean 0 and standard deviation 1, `(n, n_factors)`."""
    sizes = np.array(sizes)
    return (images.reshape(len(images), -1) - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)


def linear(matrix, sizes=(8, 8, 8, 8)):
    """An encoder to `factors @ matrix`."""
    return lambda images: standardized(images, sizes) @ np.asarray(matrix, float)


def turn(angle, n=4, axes=(0, 1)):
    """Rotation of a plane of n axes."""
    matrix = np.eye(n)
    i, j = axes
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = np.sin(angle), -np.sin(angle)
    return matrix
