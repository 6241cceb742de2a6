"""Sets of images, with known factors or without.

In: the name of a set (with the folder of its file, if the user has it), or a path of the user's own
images. Out: `ImageData`, and `GroundTruthData` where factors are known, which gives images (uint8)
and factors (integers) as NumPy arrays and batches (float32) as `tf.data`.
May import: plots; numpy, tqdm; tensorflow, pandas, Pillow, matplotlib, which load when used.
"""

from sparsevae.data.description import describe
from sparsevae.data.distributions import FactorDistribution
from sparsevae.data.dsprites import DSprites
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.ground_truth import GroundTruthData
from sparsevae.data.image_data import ImageData, MissingFactorsError
from sparsevae.data.labels import draw_labels
from sparsevae.data.loading import check_name, load
from sparsevae.data.mechanisms import BlockMechanisms
from sparsevae.data.own import from_array
from sparsevae.data.packed import PackedData
from sparsevae.data.pairs import draw_pairs
from sparsevae.data.shapes3d import Shapes3D
from sparsevae.data.toy import Toy

__all__ = [
    "BlockMechanisms",
    "DSprites",
    "DataFileError",
    "FactorDistribution",
    "FactorSpace",
    "GroundTruthData",
    "ImageData",
    "MissingFactorsError",
    "PackedData",
    "Shapes3D",
    "Toy",
    "check_name",
    "describe",
    "draw_labels",
    "draw_pairs",
    "from_array",
    "load",
]
