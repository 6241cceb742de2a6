"""The sets of the field in the files of their authors, or as TensorFlow Datasets prepared them.

In: path of a file or folder. Out: `FactorData`. May import: `storage`; `render` for the factors.
"""
