"""One run from its data set to its record: training, pictures, scores, downstream tasks.

In: `RunSettings`, or the folder of a run. Out: a record. May import every room but `study`'s
others; all but `summary` load TensorFlow.
"""
