"""The memory that a trial may take of the host, kept by the operating system."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.hardware.heap import free_bytes, give_back

GAPS = 0.1  # of the limit: more that lies free in the heap, in pieces, could be what a trial lacks


@contextmanager
def memory_limit(more_bytes: int | None) -> Iterator[None]:
    """Let this process's address space grow by so many bytes and no further; an allocation then fails.

    torch alone reserves some 3 GB of addresses without using them, hence growth and not the total. What is free in
    the heap, such as an earlier trial left it, counts as growth when it is used. Raised again at the end, as even
    sending a message takes memory.
    """
    if more_bytes is None:
        yield
        return
    if free_bytes() > GAPS * more_bytes:
        give_back()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") - free_bytes() + more_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (min(limit, hard) if hard != resource.RLIM_INFINITY else limit, hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
