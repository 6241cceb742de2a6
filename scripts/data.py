"""Data sets: `python scripts/data.py describe|grid|fetch NAME`, `... compare FILE`."""

from sparsevae.commands.data import main

if __name__ == "__main__":
    main()
