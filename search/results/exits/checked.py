"""The ONNX files of a network that stops early, each run in a fresh process beside the network before it is kept."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.results.exits.onnx import EXIT, nested, stage_models
from search.results.formats import CLOSE, IMAGES, chosen
from search.results.formats.check import SECONDS

if TYPE_CHECKING:
    from genome import EarlyExit
    from genome.exits.rules import Rule
    from search.results.trained import Trained
    from search.storage.data_facts import DataFacts
    from trainer import Data

WHOLE_FILE, STAGE_FILE, RUNNER_FILE = "exits.onnx", "exits-{}.onnx", "exits_runner.py"
RUNNER = Path(__file__).with_name("runner.py")
SAME = (
    0.99  # share of the images that must take the same exit: rounding may decide for an image at a threshold
)

ALONE = """
import sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
images = np.load(sys.argv[2])
found = [session.run(["logits", "exit"], {"pixels": images[i : i + 1]}) for i in range(len(images))]
np.savez(sys.argv[3], logits=np.concatenate([one[0] for one in found]), exits=np.concatenate([one[1] for one in found]))
"""


def onnx_files(one: Trained, rule: Rule, data: Data) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files by name, and what was seen when they ran on validation images.

    Raises:
        StudyError: the extra for ONNX is missing, or a file that does not run, or that says something else than the
            network.
    """
    import genome
    from genome.plain.calls import PlainError
    from search.results.pixels import Pixels

    chosen("onnx")  # raises where the extra is missing
    facts, early = one.facts, genome.EarlyExit(one.network, rule)
    _check_depth(one, data)
    try:
        # norms are not folded: that would also join convolutions of two stages that read the same map
        whole = Pixels(one.network, one.plan, facts, fold=False)
    except PlainError as error:
        raise StudyError(f"ONNX files are not written: {error}") from None
    models = stage_models(whole, rule, facts)
    content = {
        WHOLE_FILE: _bytes(nested(models, facts)),
        **{STAGE_FILE.format(k + 1): _bytes(model) for k, model in enumerate(models)},
        RUNNER_FILE: RUNNER.read_bytes(),
    }
    return content, _checked(content, early, facts, data.valid.x[:IMAGES].numpy())


def _check_depth(one: Trained, data: Data) -> None:
    for name, depth in ((one.name, one.facts.depth), (data.name, data.white.bit_length())):
        if depth != 8:
            raise StudyError(
                f"ONNX files take pixels of 8 bits, and those of {name} have {depth}; leave --onnx out"
            )


def _bytes(model: Any) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))


def _checked(content: Mapping[str, bytes], early: EarlyExit, facts: DataFacts, images: Any) -> dict[str, Any]:
    """Run the files for images alone and for a batch, and compare logits and exits with those of the network."""
    import numpy as np

    seen = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, stored in content.items():
            (folder / file).write_bytes(stored)
        given = folder / "images.npy"
        np.save(given, images)
        alone = ["-c", ALONE, str(folder / WHOLE_FILE), str(given)]
        for word, words in (("alone", alone), ("batch", [str(folder / RUNNER_FILE), str(given)])):
            seen[word] = _compared(word, _run(words, folder / f"{word}.npz"), early, facts, images)
    return seen


def _run(words: list[str], found: Path) -> dict[str, Any]:
    import numpy as np

    try:
        done = subprocess.run(
            [sys.executable, "-I", *words, str(found)], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise StudyError(f"ONNX files are not written: they did not end within {SECONDS:.0f} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
        raise StudyError(f"ONNX files are not written: they do not run in a fresh process ({last})")
    return dict(np.load(found))


def _compared(
    word: str, found: Mapping[str, Any], early: EarlyExit, facts: DataFacts, images: Any
) -> dict[str, Any]:
    """Return the share of equal exits, and the largest difference of the logits where these are equal.

    Raises StudyError where the file says something else than the network.
    """
    import numpy as np
    import torch

    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (facts.mean, facts.std))
    with torch.inference_mode():
        wanted = early((torch.from_numpy(images) / 255 - mean) / std)
    same = found[EXIT + "s"] == wanted.exits.numpy()
    logits = wanted.logits.numpy()
    scale = max(float(np.abs(logits).max()), 1e-9)
    error = float(np.abs(found["logits"] - logits)[same].max(initial=0.0)) / scale
    share = float(same.mean())
    if share < SAME or not error <= CLOSE:
        raise StudyError(
            f"ONNX files are not written: of images {word} {share:.1%} take the exits of the network, and logits "
            f"differ by {error:.1e} of the largest"
        )
    return {"images": len(images), "same_exits": share, "largest_difference": error}
