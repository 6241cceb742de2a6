import keras
import pytest


@pytest.fixture(autouse=True)
def seed():
    """Kernels start the same in every test, whatever ran before."""
    keras.utils.set_random_seed(0)


@pytest.fixture
def precision():
    """Sets the dtype policy, and the dtype of floats, for what the test makes."""

    def set_to(policy, floatx="float32"):
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)

    yield set_to
    set_to("float32")
