"""Ways to draw from a set with factors: biased, in pairs, with few labels.

In: a set with factors, a generator. Out: numbers of images. May import: what a set is.
"""
