"""Writes docs/study.md and its figures from the study's table.

`python -m docs.study_page studies/density.parquet docs/study.md`: all numbers of the page are made
here; what stands around them is in `page.md`.
"""

import sys
from pathlib import Path

from docs.study_page.page import write

if __name__ == "__main__":
    table, target = map(Path, sys.argv[1:])
    write(table, target)
    print(f"{target} written")
