"""Sets that are drawn here, pixel by pixel, without any file.

In: sizes and seeds. Out: `GroundTruthData`. May import: what a set is, of the room above.
"""

from sparsevae.data.render.dsprites import DSprites
from sparsevae.data.render.mechanisms import BlockMechanisms
from sparsevae.data.render.shapes3d import Shapes3D
from sparsevae.data.render.toy import Toy

__all__ = ["BlockMechanisms", "DSprites", "Shapes3D", "Toy"]
