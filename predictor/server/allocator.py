"""Has glibc give memory back: its defaults kept 450 MB of what eight large requests had taken."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""As in glibc's malloc.h."""
LARGE_BYTES = 256 * 1024
ARENAS = 2


def return_memory() -> None:
    """Have what this process frees go back to the system; call it before threads are started.

    Without effect where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # An arena for each thread keeps what any request once needed in that thread.
        mallopt(M_ARENA_MAX, ARENAS)
        # Setting it also ends its growth: glibc raises it to 32 MB once such a block was freed,
        # and then puts images among small objects, behind which they cannot be given back.
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, LARGE_BYTES)
