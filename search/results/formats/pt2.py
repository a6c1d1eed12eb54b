"""pt2: a program of torch.export, which torch runs without Python source."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

FILES = ("model.pt2",)
NEEDS: tuple[str, ...] = ()
BATCH = "any"


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module for any number of images."""
    import torch

    program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for node in program.graph.nodes:  # paths and source lines of this machine
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
            node.meta.pop(key, None)
    stored = io.BytesIO()
    torch.export.save(program, stored, extra_files=dict(about))
    return {FILES[0]: stored.getvalue()}


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, and the versions of the runtime."""
    import torch

    torch.set_num_threads(threads)
    module = torch.export.load(file).module()

    def run(images: Any) -> Any:
        with torch.inference_mode():
            return [one.numpy() for one in module(torch.from_numpy(images))]

    return run, {"torch": torch.__version__}
