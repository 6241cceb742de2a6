"""Encode a folder of images: `python scripts/encode.py images/ --out codes.parquet`."""

from sparsevae.commands.encode import main

if __name__ == "__main__":
    main()
