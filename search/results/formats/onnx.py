"""onnx: a graph of ONNX, which onnxruntime and others run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FILES = ("model.onnx",)
NEEDS = ("onnx", "onnxscript", "onnxruntime")
BATCH = "any"
OPSET = 20  # the first that has what every node type needs, such as 5-dimensional samples of a grid


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module for any number of images."""
    import torch

    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["pixels"],
        output_names=list(outs),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    forget_sources(model)
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return {FILES[0]: bytes(model.SerializeToString(deterministic=True))}


def forget_sources(model: Any) -> None:
    """Delete the paths and source lines of this machine."""
    graph = model.graph
    values = (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in (*values, graph, model):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, and the versions of the runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(outs, {"pixels": images}), {"onnxruntime": onnxruntime.__version__}
