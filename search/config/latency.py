"""Latency in a study: what is measured, and on which runtime."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from search.formatting import some
from trainer.system.cpu import usable_cores


class Runtime(NamedTuple):
    """What runs a network whose latency is measured."""

    # in one phrase, for people
    means: str
    # of an exported file, its format; a runtime without one runs the module, on the device of the study
    format: str | None = None
    # modules that it needs beside those of every study, and the extra of this package that brings them
    needs: tuple[str, ...] = ()
    extra: str = ""


RUNTIMES: Mapping[str, Runtime] = {
    "torch": Runtime("the module that is trained"),
    "plain": Runtime("its plain PyTorch, as in the `model.py` of an export"),
    "folded": Runtime("the same with its norms in the convolutions"),
    "pt2": Runtime("a program of `torch.export`, folded", "pt2"),
    "onnxruntime": Runtime(
        "an ONNX file, folded", "onnx", ("onnx", "onnxscript", "onnxruntime"), extra="onnx"
    ),
    "openvino": Runtime(
        "a file of OpenVINO, folded, in float32", "openvino", ("openvino",), extra="openvino"
    ),
    "ncnn": Runtime("a file of ncnn, folded, image by image", "ncnn", ("ncnn", "pnnx"), extra="ncnn"),
    "litert": Runtime(
        "a file of LiteRT, folded, image by image",
        "litert",
        ("litert_torch", "ai_edge_litert"),
        extra="litert",
    ),
    "executorch": Runtime(
        "a file of ExecuTorch, folded, image by image", "executorch", ("executorch",), extra="executorch"
    ),
}


class LatencySetting(NamedTuple):
    """What a study measures: the time of a forward pass of some images."""

    runtime: str = "torch"
    batch: int = 1
    # of the CPU
    threads: int = 1

    def plain(self) -> dict[str, Any]:
        """Return plain values."""
        return self._asdict()

    def unmet_threads(self) -> str | None:
        """Say that there are more threads than cores, None where there are not."""
        cores = usable_cores()
        if self.threads <= cores:
            return None
        return f"latency.threads is {self.threads}; this process may use {some(cores, 'core')}, give so many or fewer"

    def missing_runtime(self) -> str | None:
        """Say which module the runtime lacks here, None where it can run."""
        runtime = RUNTIMES[self.runtime]
        missing = [name for name in runtime.needs if find_spec(name) is None]
        if not missing:
            return None
        extra = f"pip install 'genome-nas[{runtime.extra}]', or choose another runtime"
        return f"latency.runtime is {self.runtime}, which needs {', '.join(missing)}; {extra}"

    def __str__(self) -> str:
        return f"{some(self.batch, 'image')} by {self.runtime} on {some(self.threads, 'thread')}"
