"""Look inside the model of a run: `python scripts/analyze.py runs/first`."""

from sparsevae.commands.analyze import main

if __name__ == "__main__":
    main()
