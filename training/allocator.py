"""Memory of an update is kept for the next one."""

from __future__ import annotations

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # glibc's `malloc.h`


def keep_memory() -> bool:
    """Have the C library keep what PyTorch frees on a CPU; returns whether it can (glibc).

    By default glibc gives large blocks back to the system and asks for them again, and the system clears every page
    anew: a fifth of a small model's update (`docs/performance.md`). What is kept is at most what an update once took.
    """
    if not sys.platform.startswith("linux"):
        return False
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    return tune is not None and bool(tune(MMAP_MAX, 0)) and bool(tune(TRIM_THRESHOLD, 2**31 - 1))
