"""Files of a run: whole or not there at all.

In: plain nested dicts, and paths. Out: JSON files and folders put in place in one step, dicts, and
a pandas table of many runs.
May import: the standard library, numpy, pandas.
"""

from sparsevae.records.files import atomic_file, atomic_folder, free_bytes, read_json, write_json
from sparsevae.records.record import (
    flat_record,
    is_complete,
    read_record,
    read_records,
    set_record_aside,
    write_record,
)

__all__ = [
    "atomic_file",
    "atomic_folder",
    "flat_record",
    "free_bytes",
    "is_complete",
    "read_json",
    "read_record",
    "read_records",
    "set_record_aside",
    "write_json",
    "write_record",
]
