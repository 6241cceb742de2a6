"""Export a run: `python scripts/export.py runs/first saved_models/first`."""

from sparsevae.commands.export import main

if __name__ == "__main__":
    main()
