"""Search for gates and their price: `python scripts/tune.py --data dsprites --budget small`."""

from sparsevae.commands.tune import main

if __name__ == "__main__":
    main()
