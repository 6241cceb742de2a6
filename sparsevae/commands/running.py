"""How commands begin and end: quiet start, results on stdout, else one line and an exit code."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator


def main(command: Callable[[], None]) -> None:
    """Runs a command. Exit codes: 0 done, 1 refused or failed, 130 stopped by Ctrl-C."""
    try:
        try:
            command()
        finally:
            sys.stdout.flush()  # here, where a reader that has gone can be told from an error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more when it ends
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"\nError: {error}", file=sys.stderr)
        sys.exit(1)


@contextlib.contextmanager
def quiet_tensorflow(probability: bool = True) -> Iterator[None]:
    """Imports TensorFlow and finds its devices without the ten lines it prints about itself.

    With `probability` also TensorFlow Probability, which training needs and exports do not.

    They are written by C++ before TensorFlow's own log settings count, so stderr is turned off
    while it starts. Python's errors still come through: they are raised, not printed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    is_first = "tensorflow" not in sys.modules
    gc.disable()  # modules stay: looking through them again and again is a tenth of the time
    try:
        import tensorflow as tf

        if probability:
            import tensorflow_probability as tfp

            tfp.distributions  # noqa: B018  lazy: loads here
        tf.config.list_physical_devices()
        if is_first:  # in a process that has worked before it would keep garbage for ever
            gc.freeze()
        gc.enable()
        yield
    finally:
        gc.enable()
        os.dup2(kept, 2)
        os.close(kept)
