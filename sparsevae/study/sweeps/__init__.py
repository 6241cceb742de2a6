"""Studies: a grid of runs from a TOML file, on all cores or a cluster, to one table.

In: a `Study`. Out: records, tables, reports as text. May import: `cells`, `one`.
"""
