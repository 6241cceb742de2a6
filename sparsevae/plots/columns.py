"""Columns of tables that are drawn must be numbers."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype


def check_numbers(
    argument: str, table: pd.DataFrame, columns: Iterable[str], *, finite: bool = False
) -> None:
    """Refuses columns that hold no numbers, or an infinite one; NaN is a gap.

    Args:
        argument: What the table is called, for messages.
        table: With these columns.
        columns: Their names.
        finite: Whether NaN is refused too.

    Raises:
        ValueError: naming the column and a value.
    """
    for name in columns:
        values = table[name]
        if not is_numeric_dtype(values) or is_bool_dtype(values) or values.dtype.kind == "c":
            wrong, must = values.dtype, "numbers"
        else:
            known = values.to_numpy(dtype=float, na_value=np.nan)
            bad = known[~np.isfinite(known) if finite else np.isinf(known)]
            if not len(bad):
                continue
            wrong, must = bad[0], "finite numbers"
        raise ValueError(f"`{argument}` must have {must} in {name!r}. Received: {wrong}")
