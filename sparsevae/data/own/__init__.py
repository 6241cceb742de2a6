"""Anybody's own images, with a table of factors if there is one.

In: a folder, an array, a npy or npz file, "tfds:NAME". Out: `ImageData`. May import: `storage`.
"""
