"""Memory that runs out under a trial of a study: the batch goes in halves, or the trial ends and the study goes on."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.study import Result

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]

CONV = {"op": "conv", "in": ["stem"], "kernel": 3, "width": {"one_of": [4, 64]}}
STACK = {"op": "stack", "in": ["stem"], "depth": 4, "width": 64}
# Bytes to train 1024 images at once: foreseen; where nothing limits them, taken; taken in two halves
CONV_BYTES, STACK_BYTES = (68_093_304, 137e6, 95e6), (306_081_656, 490e6, 310e6)


def study(memory: str, body: dict[str, Any], *widths: int) -> dict[str, Any]:
    nodes = {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"one_of": list(widths)}},
        "body": body,
        "out": {"op": "exit", "in": ["body"]},
    }
    return {
        "space": {"nodes": nodes},
        "budget": {"memory": memory},
        "train": {"epochs": 1, "batch": 1024, "layout": "contiguous"},
        "workers": 1,
        "objectives": "accuracy",
    }


@pytest.mark.slow  # what fits below a limit varies with processor and libraries: not for every machine
def test_a_trial_goes_on_with_half_the_batch(run: Run) -> None:
    result = run(**study("340MiB", STACK, 64), trials=1)
    (record,) = result.records
    assert record.outcome == "done", record.reason
    assert record.metrics["accuracy"] > 0
    report = json.loads((result.folder / "trials" / "0" / "report.json").read_text())
    assert report["accumulate"] == 2
    assert STACK_BYTES[0] == report["predicted_memory_bytes"] < 340 * 2**20
    assert report["peak_memory_bytes"] > 0


@pytest.mark.slow  # as above
def test_a_trial_that_fails_says_what_was_predicted_and_seen_and_the_study_goes_on(run: Run) -> None:
    result = run(**study("66MiB", CONV, 4, 64), trials=12)
    assert len(result.records) == 12
    trained = sorted((r for r in result.records if r.reused is None), key=lambda r: r.macs or 0)
    smallest, largest = trained[0], trained[-1]
    assert smallest.outcome == "done" and smallest.number > min(r.number for r in trained)
    assert (largest.outcome, largest.kind) == ("failed", "out-of-memory")
    assert largest.reason is not None and largest.seconds > 0
    assert largest.reason.startswith("the device ran out of memory: ")
    assert largest.reason.endswith(f" bytes seen at most, {CONV_BYTES[0]:,} bytes predicted)")


@pytest.mark.parametrize("sentence", ["could not create a primitive", "std::bad_alloc"])
def test_what_libraries_say_when_memory_ends(sentence: str) -> None:
    from trainer.outcome import is_memory

    assert is_memory(RuntimeError(sentence))
    assert not is_memory(RuntimeError("could not create a primitive descriptor for a convolution"))


KEPT = """
import torch, trainer
from search.memory import memory_limit
from trainer.heap import free_bytes

MEGA = 2**20
trainer.keep_pages()
blocks = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(500)]
pin = torch.ones(MEGA, dtype=torch.uint8)  # at the heap's end, so that it cannot shrink
del blocks
assert free_bytes() > 490 * MEGA
with memory_limit(200 * MEGA):
    first = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(150)]
with memory_limit(200 * MEGA):
    second = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(150)]
    try:
        more = [torch.ones(MEGA, dtype=torch.uint8) for _ in range(1000)]
    except RuntimeError as error:
        print("limited" if "allocate memory" in str(error) else error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_heap_that_was_kept_is_no_room_beyond_the_limit() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("limited\n", 0), done.stderr
