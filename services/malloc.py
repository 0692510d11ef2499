"""How the process takes memory from the system."""

import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h
MAX_ARENAS = 2


def bound_heaps() -> None:
    """Have at most MAX_ARENAS heaps, however many threads there are; before those are begun.

    glibc gives up to eight heaps for each core to a process with threads, and what is freed in one serves no other: a
    web process of 1,000 metrics took 294 MB in place of 207, and went on growing. Other C libraries are left alone.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS do not have it, Windows no library of that kind
        return
    set_option(M_ARENA_MAX, MAX_ARENAS)
