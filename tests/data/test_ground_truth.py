import numpy as np
import pytest

from sparsevae.data import FactorSpace, GroundTruthData, PackedData

SPACE = FactorSpace(("row", "column"), (2, 3))


class Blocks(GroundTruthData):
    """A user's own set: `super().__init__` and `images` are all it takes."""

    def __init__(self):
        super().__init__("blocks", "render", SPACE, (2, 3, 1))

    def images(self, indices):
        return (
            (np.eye(6)[self.factor_space.checked(indices)] * 200)
            .astype(np.uint8)
            .reshape(-1, 2, 3, 1)
        )


def packed_blocks(**changes):
    packed = np.packbits(np.eye(6, dtype=np.uint8), axis=1)
    arguments = {"image_shape": (2, 3, 1), "packed": packed, **changes}
    return PackedData("blocks", "file", SPACE, **arguments)


@pytest.mark.parametrize("data", [Blocks(), packed_blocks()], ids=["own", "packed"])
def test_everything_follows_from_images(data):
    assert data.factor_names == ("row", "column") and data.factor_sizes == (2, 3)
    assert len(data) == 6 and data.image_shape == (2, 3, 1)
    factors, images = data.sample(20, np.random.default_rng(0), fixed={"row": 1})
    assert (factors[:, 0] == 1).all()
    row, column = np.nonzero(images[..., 0])[1:]
    np.testing.assert_array_equal(np.stack([row, column], axis=1), factors)
    np.testing.assert_array_equal(data.index(data.factors(np.arange(6))), np.arange(6))
    np.testing.assert_array_equal(
        data.sample_factors(20, np.random.default_rng(0), fixed={"row": 1}), factors
    )
    assert next(iter(data.as_tf_dataset(batch_size=2))).shape == (2, 2, 3, 1)


def test_packed_pixels_are_0_or_255():
    images = packed_blocks().images([4])
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0, :, :, 0], [[0, 0, 0], [0, 255, 0]])


def test_bad_construction_is_refused():
    with pytest.raises(ValueError, match=r"`packed`.*\(6, 1\).*\(6, 6\)"):
        packed_blocks(packed=np.eye(6, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"`packed`.*float64"):
        packed_blocks(packed=np.zeros((6, 1)))
    with pytest.raises(ValueError, match="`image_shape`"):
        packed_blocks(image_shape=(6,))
    with pytest.raises(TypeError, match="`factor_space`"):
        PackedData("blocks", "file", (2, 3), (2, 3, 1), np.zeros((6, 1), np.uint8))
    with pytest.raises(TypeError, match="images"):
        GroundTruthData("blocks", "render", SPACE, (2, 3, 1))
