"""How all scripts end: results on stdout, or one line on stderr and an exit code."""

import sys
from collections.abc import Callable


def main(command: Callable[[], None]) -> None:
    """Runs a command. Exit codes: 0 done, 1 refused or failed, 130 stopped by Ctrl-C."""
    try:
        command()
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"\nError: {error}", file=sys.stderr)
        sys.exit(1)
