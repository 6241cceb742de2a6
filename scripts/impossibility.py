"""Rotate the latents of runs: `python scripts/impossibility.py runs/dense runs/sparse`."""

from sparsevae.commands.impossibility import main

if __name__ == "__main__":
    main()
