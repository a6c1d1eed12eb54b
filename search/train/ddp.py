"""Distributed data-parallel training: torchrun starts several processes, one on each GPU, for one network."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from search.errors import StudyError

if TYPE_CHECKING:
    from trainer import Ranks

STOPPED = 130  # exit status of a command that Ctrl-C stopped


def is_inside() -> bool:
    """Return whether torchrun started this process."""
    return "LOCAL_RANK" in os.environ


def launch(device: str, processes: int | None, arguments: Sequence[str]) -> int:
    """Run the command again in several processes through torchrun and return its exit status.

    None `processes` is one process on every GPU of the machine. Raises StudyError where there is no GPU.
    """
    import torch

    from trainer.system.cpu import usable_cores

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device != "cpu" and gpus == 0:
        raise StudyError(
            "--ddp runs on all GPUs, but torch finds no GPU here; leave out --ddp, or add `--device cpu`"
        )
    if device not in ("auto", "cuda", "cpu"):
        raise StudyError(f"--ddp runs on all GPUs, but --device is {device}; leave out one of the two")
    count = processes or (1 if device == "cpu" else gpus)
    if device != "cpu" and count > gpus:
        raise StudyError(f"--processes is {count}, but there are {gpus} GPUs; give at most {gpus}")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(usable_cores() // count, 1)))
    return _run(count, ["-u", "-m", "search", *arguments])


def _run(count: int, arguments: Sequence[str]) -> int:
    """Run Python in `count` processes as `torchrun --standalone` does; return the highest exit status."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # the processes report their errors themselves
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)(*arguments)
    except ChildFailedError as error:
        return max(failure.exitcode for failure in error.failures.values())
    except SignalException:
        return STOPPED
    return 0


@contextmanager
def ranks(device: str | None) -> Iterator[tuple[Ranks, str | None]]:
    """Yield the rank of this process among those of torchrun, and its device; for None, a single process."""
    import torch

    from trainer import Ranks
    from trainer.hardware.ranks import joined

    if device is None:
        yield Ranks(), None
        return
    own = "cpu" if device == "cpu" else f"cuda:{os.environ['LOCAL_RANK']}"
    with joined(torch.device(own)) as place:
        yield place, own
