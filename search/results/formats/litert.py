"""litert: a flat buffer of LiteRT, formerly TensorFlow Lite."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FILES = ("model.tflite",)
NEEDS = ("litert_torch", "ai_edge_litert")
BATCH = "1"


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module, which take one image a call."""
    import litert_torch

    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        made = litert_torch.convert(_named(module, outs), sample_kwargs={"pixels": example[:1]})
        file = Path(folder, FILES[0])
        made.export(str(file))
        return {FILES[0]: file.read_bytes()}


def _named(module: Any, outs: Sequence[str]) -> Any:
    """Return a module that gives its outputs by name."""
    from torch import nn

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, pixels: Any) -> dict[str, Any]:
            return dict(zip(outs, self.network(pixels), strict=True))

    return Named().eval()


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, one image after the other, and the versions of the runtime."""
    import ai_edge_litert
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(file, num_threads=threads).get_signature_runner()

    def run(images: Any) -> list[Any]:
        parts = [runner(pixels=image[None]) for image in images]
        return [np.concatenate([part[name] for part in parts]) for name in outs]

    return run, {"ai-edge-litert": ai_edge_litert.__version__}
