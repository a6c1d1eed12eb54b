"""The heap of this process: keeping freed pages, giving them back, counting them."""

import ctypes
from functools import cache
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc, malloc.h
NEVER = 2**31 - 1


@cache
def _libc() -> Any:
    """Return the C library of this process; on Windows, which does not open it without a name, nothing."""
    try:
        return ctypes.CDLL(None)
    except TypeError:
        return None


def keep_pages() -> bool:
    """Stop returning freed memory to the system automatically; return False if libc cannot do that.

    glibc returns blocks of more than 32 MiB, and the top of the heap, at once; the next training step then requests the
    same pages again and waits while each is cleared. The setting affects blocks of the main thread and cannot be
    undone, so it is for processes that only train. `malloc_trim(0)` still returns free memory.
    """
    libc = _libc()
    if not hasattr(libc, "mallopt"):
        return False
    return bool(libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, NEVER))


def give_back() -> None:
    """Return free memory to the system, if libc can."""
    libc = _libc()
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
    """Return the bytes of the heap that this process holds and does not use; 0 if libc does not report it."""
    return int(_info().fordblks)


def used_bytes() -> int:
    """Return the bytes in use, with large blocks outside of the heap; 0 if libc does not report it."""
    info = _info()
    return int(info.uordblks + info.hblkhd)


def _info() -> _Heap:
    libc = _libc()
    if not hasattr(libc, "mallinfo2"):
        return _Heap()
    libc.mallinfo2.restype = _Heap
    found: _Heap = libc.mallinfo2()
    return found
