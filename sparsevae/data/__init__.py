"""Data sets whose factors are known.

In: the name of a set and, if the user has it, the folder of its file. Out: `GroundTruthData`, which
gives images (uint8) and factors (integers) as NumPy arrays and batches (float32) as `tf.data`.
May import: numpy, tqdm; tensorflow in `pipeline.py` only, which loads when it is first used.
"""

from sparsevae.data.catalog import load
from sparsevae.data.dsprites import DSprites
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.ground_truth import GroundTruthData
from sparsevae.data.mechanisms import BlockMechanisms
from sparsevae.data.packed import PackedData
from sparsevae.data.shapes3d import Shapes3D
from sparsevae.data.toy import Toy

__all__ = [
    "BlockMechanisms",
    "DSprites",
    "DataFileError",
    "FactorSpace",
    "GroundTruthData",
    "PackedData",
    "Shapes3D",
    "Toy",
    "load",
]
