"""What studies and searches share: runs that are claimed, kept alive, watched and shown.

In: a folder of runs. Out: what became of each. May import: `one`, when a run begins.
"""
