"""openvino: an intermediate representation of OpenVINO, model.xml with its weights in model.bin."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FILES = ("model.xml", "model.bin")
NEEDS = ("openvino",)
BATCH = "any"
# The CPU plugin computes in bfloat16 where the processor has it, which changes logits by percents.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module for any number of images."""
    import torch

    openvino = _runtime()
    program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    model = openvino.convert_model(program)
    model.reshape([-1, *example.shape[1:]])
    _name(model, outs)
    for key, value in {**about, **PRECISION}.items():
        model.set_rt_info(value, [key])
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder, FILES[0]), compress_to_fp16=False)
        return {name: Path(folder, name).read_bytes() for name in FILES}


def _runtime() -> Any:
    """Return the package without the one that tells its maker of each import and conversion."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _name(model: Any, outs: Sequence[str]) -> None:
    """Name what goes in and out; other names lose the numbers that count all conversions of a process."""
    model.set_friendly_name("network")
    for number, part in enumerate(model.get_ordered_ops()):
        if re.fullmatch(r"\w+_\d+", part.get_friendly_name()):
            part.set_friendly_name(f"{part.get_type_name()}_{number}")
        for value in part.outputs():
            value.get_tensor().set_names(set())
    model.inputs[0].get_tensor().set_names({"pixels"})
    for value, name in zip(model.outputs, outs, strict=True):
        value.get_tensor().set_names({name})


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, and the versions of the runtime."""
    openvino = _runtime()
    options = {**PRECISION, "INFERENCE_NUM_THREADS": threads}
    model = openvino.Core().compile_model(file, "CPU", options)

    def run(images: Any) -> list[Any]:
        found = model({"pixels": images})
        return [found[name] for name in outs]

    return run, {"openvino": openvino.__version__}
