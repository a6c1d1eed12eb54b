"""The limit of a trial's host memory, which the operating system enforces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trainer.hardware.heap import free_bytes, give_back
from trainer.system.memory import growth_limit

GAPS = 0.1  # of the limit: more free memory in gaps of the heap is returned first, as a trial may need it


@contextmanager
def memory_limit(more_bytes: int | None) -> Iterator[None]:
    """Limit the growth of the address space of this process in the block; beyond the limit an allocation fails.

    The growth is limited, and not the total, because torch alone reserves some 3 GB of addresses without using them.
    Memory that is free in the heap, for example after an earlier trial, counts as growth when it is used. The limit is
    lifted at the end of the block, because even sending a message takes memory. Only Linux enforces it.
    """
    if more_bytes is None:
        yield
        return
    if free_bytes() > GAPS * more_bytes:
        give_back()
    with growth_limit(more_bytes - free_bytes()):
        yield
