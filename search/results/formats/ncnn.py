"""ncnn: layers of ncnn in model.ncnn.param, with their weights in model.ncnn.bin."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FILES = ("model.ncnn.param", "model.ncnn.bin")
NEEDS = ("ncnn", "pnnx")
BATCH = "1"


def write(module: Any, example: Any, outs: Sequence[str], about: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a module, which take one image of float32 a call. They have no place for `about`.

    Raises:
        RuntimeError: the converter fails.
    """
    import pnnx
    import torch

    image = example[:1].float()
    with tempfile.TemporaryDirectory() as folder:
        torch.jit.trace(module, (image,)).save(  # type: ignore[no-untyped-call]
            str(Path(folder, "model.pt"))
        )
        shape = ",".join(map(str, image.shape))
        command = [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]f32", "fp16=0"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pnnx ended with status {done.returncode}")
        param, weights = (Path(folder, name).read_bytes() for name in FILES)
    return {FILES[0]: _named(param.decode(), outs).encode(), FILES[1]: weights}


def _named(param: str, outs: Sequence[str]) -> str:
    """Return layers whose input is called `pixels` and whose outputs have the names `outs`."""
    names = {"in0": "pixels", **{f"out{i}": name for i, name in enumerate(outs)}}
    head, count, *layers = param.splitlines()
    return "\n".join([head, count, *(_renamed(line.split(), names) for line in layers)]) + "\n"


def _renamed(words: list[str], names: Mapping[str, str]) -> str:
    """A line is: kind, name, number of inputs and of outputs, their names, settings."""
    blobs = 4 + int(words[2]) + int(words[3])
    blob_names = [names.get(word, word) for word in words[4:blobs]]
    return " ".join([*words[:4], *blob_names, *words[blobs:]])


def load(file: str, outs: Sequence[str], threads: int) -> tuple[Callable[[Any], Any], dict[str, str]]:
    """Return what runs a file, one image after the other, and the versions of the runtime."""
    import ncnn
    import numpy as np

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = False
    if net.load_param(file) or net.load_model(file.removesuffix("param") + "bin"):
        raise RuntimeError("ncnn cannot load it")

    def one(image: Any) -> list[Any]:
        with net.create_extractor() as extractor:
            extractor.input("pixels", ncnn.Mat(image).clone())
            return [np.array(_extracted(extractor, name)) for name in outs]

    def run(images: Any) -> list[Any]:
        parts = [one(image) for image in images.astype(np.float32)]
        return [np.stack(part) for part in zip(*parts, strict=True)]

    return run, {"ncnn": ncnn.__version__}


def _extracted(extractor: Any, name: str) -> Any:
    status, found = extractor.extract(name)
    if status != 0:
        raise RuntimeError(f"ncnn cannot compute {name}")
    return found
