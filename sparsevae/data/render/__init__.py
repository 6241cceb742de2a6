"""Sets that are drawn here, pixel by pixel, without any file.

In: sizes and seeds. Out: `GroundTruthData`. May import: what a set is, of the room above.
"""
