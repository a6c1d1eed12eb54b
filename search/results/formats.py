"""Formats: an exported network in files that other runtimes run, each checked in a fresh process before it is kept."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.results.format_runner import milliseconds
from search.storage.data_facts import DataFacts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from genome import Plan
    from genome.network import Network
    from search.results.pixels import Pixels

log = logging.getLogger("search")

FORMATS_KEY = "formats"  # of a report
CLOSE = 1e-4  # of the largest logit: a file whose logits differ by more is not kept
IMAGES = 256  # that each file is checked on, at most
SECONDS = 600.0  # after which a check has failed
BATCHES, THREADS = (1, 64), 1  # images, and threads, that latency is measured with
RUNNER = Path(__file__).with_name("format_runner.py")
OPSET = 20  # of ONNX: the first that has what every node type needs, such as 5-dimensional samples of a grid
QUIET = (
    "torch.onnx",
    "onnxscript",
    "onnx_ir",
    "torch.export",
)  # loggers of what the exporters tell of themselves


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    name: str
    file: str
    # modules that writing and running it needs, and the extra of this package that brings them
    needs: tuple[str, ...]
    extra: str
    # of a module that takes pixels, an example of these, and the names of its exits
    write: Callable[[Pixels, Any, Sequence[str], Mapping[str, str]], bytes]


def _pt2(module: Pixels, example: Any, exits: Sequence[str], about: Mapping[str, str]) -> bytes:
    import torch

    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
    for node in program.graph.nodes:  # paths and source lines of this machine
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
            node.meta.pop(key, None)
    stored = io.BytesIO()
    torch.export.save(program, stored, extra_files=dict(about))
    return stored.getvalue()


def _onnx(module: Pixels, example: Any, exits: Sequence[str], about: Mapping[str, str]) -> bytes:
    import torch

    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["pixels"],
        output_names=list(exits),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    graph = model.graph
    for part in (
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
        graph,
        model,
    ):
        del part.metadata_props[:]  # paths and source lines of this machine
        part.ClearField("doc_string")
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString(deterministic=True))


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("pt2", "model.pt2", (), "", _pt2),
        Format("onnx", "model.onnx", ("onnx", "onnxscript", "onnxruntime"), "onnx", _onnx),
    )
}


def chosen(words: str) -> list[Format]:
    """Return the formats of words such as `onnx,pt2`; `all` are those whose extras are installed.

    Raises:
        StudyError: a word that is no format, or a format whose extra is missing.
    """
    if words == "all":
        return [one for one in FORMATS.values() if not _missing(one)]
    found = []
    for word in dict.fromkeys(part.strip() for part in words.split(",") if part.strip()):
        if word not in FORMATS:
            raise StudyError(f"--formats has {word!r}; it may be all, or some of {', '.join(FORMATS)}")
        if missing := _missing(FORMATS[word]):
            raise StudyError(
                f"--formats {word} needs {', '.join(missing)}; pip install 'genome-nas[{FORMATS[word].extra}]'"
            )
        found.append(FORMATS[word])
    return found


def _missing(one: Format) -> list[str]:
    return [module for module in one.needs if find_spec(module) is None]


def written(
    network: Network,
    plan: Plan,
    facts: DataFacts,
    images: npt.NDArray[np.uint8],
    formats: Sequence[Format],
    fold: bool,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of formats by name, and what was seen when each ran in a fresh process, beside the network.

    A file whose logits are not the network's is left out, and the log says so.
    network: with its trained weights, in eval mode.  images: (N, C, H, W) to compare on.  fold: norms are part of the
    convolutions beside them.
    """
    from search.results.pixels import Pixels

    module = Pixels(network, plan, facts, fold)
    content, checked = dict[str, bytes](), dict[str, Any]()
    for one in formats:
        stored = file_of(one, module, plan, facts)
        seen = checked_file(one, stored, module, images)
        checked[one.name] = seen
        if seen["is_kept"]:
            content[one.file] = stored
        else:
            log.warning("%s is not written: %s", one.file, seen["why"])
    return content, {"fold": fold, "eager": eager_milliseconds(network, facts.input), "checked": checked}


def file_of(one: Format, module: Pixels, plan: Plan, facts: DataFacts) -> bytes:
    """Return the file of a network in a format."""
    import torch

    exits = [f"exit_{plan.steps[i].node.name}" for i in plan.exits]
    about = {"classes": json.dumps(list(facts.classes)), "input": json.dumps(list(facts.input))}
    with _quiet():
        return one.write(module, torch.zeros(2, *facts.input, dtype=torch.uint8), exits, about)


def eager_milliseconds(
    network: nn.Module, input: Sequence[int], batches: Sequence[int] = BATCHES, threads: int = THREADS
) -> dict[str, dict[str, float]]:
    """Return the latency of a module on the CPU by the number of images: median and 95th percentile."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            return {str(size): milliseconds(network, torch.zeros(size, *input)) for size in batches}
    finally:
        torch.set_num_threads(before)


class _quiet:
    """A context in which the exporters of torch log errors alone and warn of nothing."""

    def __enter__(self) -> None:
        import warnings

        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._levels = {name: logging.getLogger(name).level for name in QUIET}
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        self._warnings.__exit__(None, None, None)


def checked_file(
    one: Format,
    stored: bytes,
    module: Pixels,
    images: npt.NDArray[np.uint8],
    batches: Sequence[int] = BATCHES,
    threads: int = THREADS,
) -> dict[str, Any]:
    """Run a file in a fresh process, and return how far its logits are from the module's, and its latency."""
    import numpy as np
    import torch

    with torch.inference_mode():
        wanted = [logits.numpy() for logits in module(torch.from_numpy(images))]
    with tempfile.TemporaryDirectory() as folder:
        given, found, file = Path(folder, "images.npy"), Path(folder, "found.npz"), Path(folder, one.file)
        np.save(given, images)
        file.write_bytes(stored)
        try:
            done = subprocess.run(
                [sys.executable, "-I", RUNNER, one.name, file, given, found, *map(str, (threads, *batches))],
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return {"is_kept": False, "why": f"it did not end within {SECONDS:.0f} s in a fresh process"}
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
            return {"is_kept": False, "why": f"it does not run in a fresh process ({last})"}
        logits = np.load(found)
        outs = [logits[f"exit{i}"] for i in range(len(wanted))]
    seen = json.loads(done.stdout)
    error = max(
        float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-9))
        for a, b in zip(outs, wanted, strict=True)
    )
    same = float(np.mean(outs[-1].argmax(1) == wanted[-1].argmax(1)))
    is_kept = bool(error <= CLOSE)  # also where it is not a number
    return {
        "is_kept": is_kept,
        **({} if is_kept else {"why": f"its logits differ from the network's by {error:.1%} of the largest"}),
        "largest_difference": error if np.isfinite(error) else None,
        "same_predictions": same,
        "images": len(images),
        "bytes": len(stored),
        **seen,
    }
