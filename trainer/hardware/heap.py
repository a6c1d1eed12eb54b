"""Heap: what this process holds and does not use, and how a training step finds it again."""

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


def give_back() -> None:
    """Give what is free to the system, where libc can."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


_FIELDS = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _Heap(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def free_bytes() -> int:
    """Bytes of the heap that this process holds and does not use; 0 where libc does not say."""
    return int(_info().fordblks)


def used_bytes() -> int:
    """Bytes that this process has in use, large blocks outside of the heap included; 0 where libc does not say."""
    info = _info()
    return int(info.uordblks + info.hblkhd)


def _info() -> _Heap:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return _Heap()
    libc.mallinfo2.restype = _Heap
    found: _Heap = libc.mallinfo2()
    return found
