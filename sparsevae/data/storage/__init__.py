"""How sets lie on disk: copies made once, and readers of array files.

In: paths of files, what fills a copy. Out: arrays left on disk. May import: `data`'s arrays.
"""
