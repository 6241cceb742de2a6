"""Boosted trees for DCI and downstream tasks, with exact splits or binned ones.

In: arrays. Out: fitted trees, importances. May import: numpy.
"""
