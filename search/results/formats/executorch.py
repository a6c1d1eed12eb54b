"""executorch: a program of ExecuTorch, whose layers the XNNPACK backend computes where it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FILES = ("model.pte",)
NEEDS = ("executorch",)
BATCH = "1"


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module, which take one image a call. They have no place for `about` and for names."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(module, (example[:1],))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return {FILES[0]: lowered.to_executorch().buffer}


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, one image after the other, and the versions of the runtime."""
    import os
    from importlib.metadata import version

    import numpy as np
    import torch
    from executorch.runtime import Runtime

    if hasattr(
        os, "sched_setaffinity"
    ):  # its pool of threads has no setting, but fits the cores that it is given
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    method = Runtime.get().load_program(file).load_method("forward")

    def one(image: Any) -> list[Any]:
        return [found.numpy().copy() for found in method.execute([image])]

    def run(images: Any) -> list[Any]:
        parts = [one(image[None]) for image in torch.from_numpy(images)]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    return run, {"executorch": version("executorch")}
