"""The continuous form of SAP's matrix."""

import numpy as np
import pytest

from sparsevae.metrics import sap_matrix


@pytest.mark.parametrize(("variance", "squared"), [(1.1e-12, 1.0), (0.9e-12, 0.0)])
def test_a_line_through_codes_counts_if_they_vary_enough(variance, squared):
    factors = np.tile([0, 1], 50)[:, None]
    codes = factors * 2 * np.sqrt(variance * 99 / 100)  # its sample variance exactly
    matrix = sap_matrix(codes, factors, codes, factors, continuous=True)
    assert matrix[0, 0] == pytest.approx(squared)
