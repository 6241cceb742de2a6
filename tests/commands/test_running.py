"""How commands begin."""

import gc
import os
import sys

import pytest

from sparsevae.commands.running import quiet_tensorflow


def test_garbage_is_collected_once_tensorflow_is_there():
    with quiet_tensorflow():
        assert gc.isenabled()


def test_garbage_of_a_process_that_goes_on_is_not_kept():
    with quiet_tensorflow():
        frozen = gc.get_freeze_count()
    with quiet_tensorflow():
        assert gc.get_freeze_count() <= frozen


def test_a_start_that_fails_leaves_collection_and_stderr_as_they_were(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    place = os.fstat(2)
    with pytest.raises(ImportError), quiet_tensorflow():
        raise AssertionError("there is no TensorFlow")
    assert gc.isenabled() and os.path.samestat(os.fstat(2), place)
