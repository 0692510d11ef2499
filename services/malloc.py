"""Limits the memory that glibc's malloc takes from the operating system."""

import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h
MAX_ARENAS = 2


def limit_arenas() -> None:
    """Limit malloc to MAX_ARENAS arenas, however many threads there are. Call it before threads start.

    glibc creates up to eight arenas per core, and memory freed in one is not reused by another: without the limit a web
    process with 1,000 metrics took 294 MB instead of 207, and kept growing. Does nothing with other C libraries.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS lack mallopt; Windows cannot open the process itself
        return
    set_option(M_ARENA_MAX, MAX_ARENAS)
