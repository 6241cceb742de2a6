"""Sets of images, with known factors or without.

In: the name of a set (with the folder of its file, if the user has it), a name from `register`, or
a path of the user's own images. Out: `ImageData`, and `GroundTruthData` where factors are known,
which gives images (uint8) and factors (integers) as NumPy arrays and batches (float32) as
`tf.data`.
May import: numpy, tqdm; tensorflow, pandas, Pillow, h5py, which load when used.
Sub-rooms, each above the one before: `storage`, `render`, `read`, `own`; and `variants`, `draws`.
"""

from sparsevae.data.description import describe
from sparsevae.data.draws import FactorDistribution, FewLabels, Pairs, draw_labels, draw_pairs
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.ground_truth import GroundTruthData
from sparsevae.data.image_data import ImageData, MissingFactorsError
from sparsevae.data.loading import check_name, load
from sparsevae.data.own import from_array
from sparsevae.data.packed import PackedData
from sparsevae.data.registered import register
from sparsevae.data.render import BlockMechanisms, DSprites, Shapes3D, Toy

__all__ = [
    "BlockMechanisms",
    "DSprites",
    "DataFileError",
    "FactorDistribution",
    "FactorSpace",
    "FewLabels",
    "GroundTruthData",
    "ImageData",
    "MissingFactorsError",
    "PackedData",
    "Pairs",
    "Shapes3D",
    "Toy",
    "check_name",
    "describe",
    "draw_labels",
    "draw_pairs",
    "from_array",
    "load",
    "register",
]
