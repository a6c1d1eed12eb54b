"""Benchmarks that run studies side by side: each process has its own core, whatever its parent computed before."""

import os

import pytest
import torch

from benchmarks._races import side_by_side
from tests.command import PATIENCE_SECONDS


def product(size: int) -> tuple[float, set[int]]:
    """Return a product that threads compute together, and the cores that they may use."""
    return float(torch.ones(size, size).mm(torch.ones(size, size)).sum()), os.sched_getaffinity(0)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system keeps no process to a core")
def test_processes_compute_after_their_parent_did_each_on_a_core() -> None:
    """Forked processes would wait forever for threads that only their parent has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        product(512)
        with side_by_side(2) as pool:
            sums, cores = zip(
                *[pool.submit(product, 512).result(PATIENCE_SECONDS) for _ in range(2)], strict=True
            )
    finally:
        torch.set_num_threads(threads)
    assert set(sums) == {512.0**3}
    assert {len(each) for each in cores} == {1}
