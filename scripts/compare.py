"""Put runs side by side: `python scripts/compare.py runs/dense runs/sparse`."""

from sparsevae.commands.compare import main

if __name__ == "__main__":
    main()
