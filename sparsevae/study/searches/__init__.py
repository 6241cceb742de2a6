"""Searches over gates and their price, by KerasTuner, towards a front of several objectives.

In: `RunSettings`, a `SearchPlan`. Out: `SearchResult`, exports. May import: `cells`, `one`.
"""
