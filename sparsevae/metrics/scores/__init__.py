"""One file for each score or family of scores.

In: codes and factors as arrays. Out: floats or small dataclasses. May import: `trees`, and the
checks and information measures of the room above.
"""
