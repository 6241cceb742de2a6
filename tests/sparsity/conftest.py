import keras
import pytest


@pytest.fixture(autouse=True)
def seed():
    """Kernels start the same in every test, whatever ran before."""
    keras.utils.set_random_seed(0)
