"""Which machine this is, for names of files in folders that machines share."""

import hashlib
import os
import platform
import uuid
from pathlib import Path


def _identify() -> str:
    """The same for two processes only if each sees the other by its process number.

    On Linux that is one boot of one kernel and one space of process numbers: containers have
    spaces of their own, and may share names and addresses.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        parts = (boot, str(os.stat("/proc/self/ns/pid").st_ino))
    except OSError:
        parts = (platform.node(), str(uuid.getnode()))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


MACHINE = _identify()
