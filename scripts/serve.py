"""Serve an exported model over HTTP: `python scripts/serve.py saved_models/demo`."""

from sparsevae.commands.serve import main

if __name__ == "__main__":
    main()
