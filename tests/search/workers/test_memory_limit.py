"""The errors of libraries when memory ends, and a limit that also holds in a heap that keeps its pages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("sentence", ["could not create a primitive", "std::bad_alloc"])
def test_what_libraries_say_when_memory_ends(sentence: str) -> None:
    from trainer.outcome import is_memory

    assert is_memory(RuntimeError(sentence))
    assert not is_memory(RuntimeError("could not create a primitive descriptor for a convolution"))


KEPT = """
import torch, trainer
from search.workers.memory_limit import memory_limit
from trainer.hardware.heap import free_bytes

MEGA = 2**20
trainer.keep_pages()
blocks = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(500)]
pin = torch.ones(MEGA, dtype=torch.uint8)  # at the heap's end, so that it cannot shrink
del blocks
assert free_bytes() > 490 * MEGA
with memory_limit(200 * MEGA):
    first = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(150)]
with memory_limit(200 * MEGA):
    second = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(150)]
    try:
        more = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(1000)]
    except RuntimeError as error:
        print("limited" if "allocate memory" in str(error) else error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_heap_that_was_kept_is_no_room_beyond_the_limit() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("limited\n", 0), done.stderr
