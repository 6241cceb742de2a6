"""What the codes of a model are good for: `python scripts/downstream.py saved_models/demo`."""

from sparsevae.commands.downstream import main

if __name__ == "__main__":
    main()
