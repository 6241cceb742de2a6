"""Score a run or an exported model: `python scripts/evaluate.py runs/first`."""

from sparsevae.commands.evaluate import main

if __name__ == "__main__":
    main()
