"""torch.compile, if the remaining steps repay it."""

import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainer.hardware.meter import synchronize
from trainer.hardware.modes import seeded, unchanged

# On a CPU core a network took 31 to 66 s to compile, and a step became 1.14 to 1.27 times as fast.
COST_SECONDS = 60.0
SAVES = 0.14  # share of a step, 1 - 1 / 1.16
ROUNDS = 3

log = logging.getLogger("trainer")

Run = Callable[..., Any]


def repays(seconds_left: float) -> bool:
    """Whether compiling shortens a training with so many seconds of steps left, by a margin."""
    return SAVES * seconds_left > 1.5 * COST_SECONDS


def compiled(
    module: nn.Module,
    step: Callable[[Run], Tensor],
    images: int,
    device: torch.device,
    keep_slower: bool = False,
) -> Run | None:
    """Return the module compiled for batches of so many images; None if compiling fails or makes it slower.

    step: returns the loss of a batch of that size, run by its argument. Batches of other sizes run uncompiled.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns of absent CUDA
    fast = torch.compile(module, dynamic=False)

    def run(x: Tensor) -> Any:
        return fast(x) if len(x) == images else module(x)

    with seeded(0, device), unchanged(module):
        try:
            _seconds(step, run, device)
        except Exception as error:  # no C++ compiler, or code that cannot be traced
            log.warning("not compiled: %s", " ".join(str(error).split())[:200])
            return None
        pairs = [(_seconds(step, run, device), _seconds(step, module, device)) for _ in range(ROUNDS)]
    ours, plain = (min(column) for column in zip(*pairs, strict=True))
    log.info("compiled: a step takes %.2f of the time of an uncompiled step", ours / plain)
    return run if keep_slower or ours < plain else None


def _seconds(step: Callable[[Run], Tensor], run: Run, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    step(run).backward()  # type: ignore[no-untyped-call]
    synchronize(device)
    return time.perf_counter() - start
