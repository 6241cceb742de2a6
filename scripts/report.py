"""One page that explains a run, a study or a search: `python scripts/report.py runs/first`."""

from sparsevae.commands.report import main

if __name__ == "__main__":
    main()
