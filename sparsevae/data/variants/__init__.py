"""Sets behind a nuisance: random colours, noise, a picture in the background.

In: any `ImageData`. Out: one of the same kind. May import: what a set is, of the room above.
"""

from sparsevae.data.variants.variant import VARIANTS, apply, split_name

__all__ = ["VARIANTS", "apply", "split_name"]
