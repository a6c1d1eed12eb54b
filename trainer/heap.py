"""Heap: memory that a training step frees stays with the process for the next step."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc, malloc.h
NEVER = 2**31 - 1


def keep_pages() -> bool:
    """From now on no memory that this process frees goes back to the system by itself; False where libc has no say.

    glibc gives blocks of more than 32 MiB back at once, and the top of the heap: the next training step then asks for
    the same pages anew and waits while each is cleared. It holds for blocks of the main thread and can't be taken
    back, so it is for processes that only train. `malloc_trim(0)` still gives back what is free.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return False
    return bool(libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, NEVER))
