import gc
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import pytest

# The same examples in every run: what fails here fails again there.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_finish(session):
    """What is imported by now stays: looked through at every collection, it cost a fifth of all."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def process_as_before():
    """A run sets the policy of the process, and determinism, under which Keras refuses jit."""
    yield
    if "sparsevae.study.one.journey" not in sys.modules:
        return
    import keras
    from tensorflow.python.framework import config

    keras.config.set_dtype_policy("float32")
    config.disable_op_determinism()


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """Models hold themselves in circles, and with them what XLA has compiled."""
    yield
    gc.collect()


@pytest.fixture
def dtype_policy(request):
    """The global Keras dtype policy named by the test's parameter, for one test."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)
