"""Vega, Vega-Lite and vega-embed as one script, made while the rest of a page is."""

import functools
import subprocess
import sys

import vl_convert

_MAKE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


@functools.cache
def prepare() -> subprocess.Popen | None:
    """A process that makes the script; None where none can be started.

    It takes two seconds, and vl-convert keeps other threads of this process from running.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _MAKE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


@functools.cache
def library() -> str:
    """The script; waits for the process, and makes it here if that failed."""
    process = prepare()
    if process is not None:
        made, _ = process.communicate()
        if process.returncode == 0:
            return made.decode()
    return vl_convert.javascript_bundle()
