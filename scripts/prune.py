"""Prune a run: `python scripts/prune.py runs/dense --name pruned --density 0.1`."""

from sparsevae.commands.prune import main

if __name__ == "__main__":
    main()
