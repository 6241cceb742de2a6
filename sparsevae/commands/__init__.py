"""Commands of the terminal: `sparsevae NAME`, and `scripts/NAME.py` in the repository.

In: arguments. Out: text on stdout, files where asked for; errors as one line and an exit code.
Each parses, calls one function of a room below, and prints. May import every room.
"""
