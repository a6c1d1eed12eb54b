"""The section of a model card that tells of exits.json: at which thresholds images leave early, and what that saves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from search import formatting
from search.results.card.markdown import plain, table

TITLE, BEFORE = "Early exits", "Cost"  # of the section, and of that after it
CURVE = "![Accuracy over mean multiply-adds](exits.svg)"
USE = """\
`load_export` gives a network that stops early:

```python
import search, torch

early, info = search.load_export(".")  # a genome.EarlyExit
x = torch.rand(8, *info["input"])  # pixels in 0..1, (batch, channels, height, width)
mean, std = (torch.tensor(info[k]).view(1, -1, 1, 1) for k in ("mean", "std"))
with torch.inference_mode():
    answers = early((x - mean) / std)
print(answers.logits.argmax(1), answers.exits, answers.macs)  # class, exit from 0, multiply-adds of each image
```"""
ONNX = """\
`exits.onnx` runs an image alone, and `exits_runner.py` runs a batch with one file for each exit; both need onnxruntime
alone:

```sh
python exits_runner.py IMAGES.npy FOUND.npz    # pixels of uint8 (N, C, H, W)
```"""


UNSOLVED = """\
Its exits, in this order, are {names}. `genome exits` was not run for this export, so there are no thresholds: each
image runs through the whole network, and {last} answers it. `genome exits .` finds thresholds at which images leave
early."""


def without_thresholds(info: Mapping[str, Any]) -> str:
    """Return what a card says of the exits of an export before `genome exits`; nothing where there is one."""
    names = [plain(name) for name in info.get("exit_names", [])]
    return UNSOLVED.format(names=", ".join(names), last=names[-1]) if len(names) > 1 else ""


def with_exits(card: str, found: Mapping[str, Any], files: Collection[str]) -> str:
    """Return a card with the section, in place of an earlier one. found: the content of exits.json."""
    head, *sections = card.split("\n## ")
    made = f"{TITLE}\n\n{_section(found, files)}\n"
    kept = [one for one in sections if not one.startswith(f"{TITLE}\n")]
    place = next((i for i, one in enumerate(kept) if one.startswith(f"{BEFORE}\n")), len(kept))
    return "\n## ".join([head, *kept[:place], made, *kept[place:]])


def _section(found: Mapping[str, Any], files: Collection[str]) -> str:
    last = found["exits"][-1]["name"]
    first = (
        f"An image leaves at the first exit {_rule(found)}; {plain(last)} answers the others. The thresholds are those "
        f"for `--{found['target']['kind']} {plain(found['target']['text'])}`, found on the validation images."
    )
    parts = [first, _exits(found), _whole(found), CURVE, USE, *([ONNX] if "exits.onnx" in files else [])]
    return "\n\n".join(parts)


def _rule(found: Mapping[str, Any]) -> str:
    rule = found["rule"]
    if rule["rule"] == "patience":
        return f"that is the last of {rule['agree']} exits in a row that name one class"
    side = "below" if rule["rule"] == "entropy" else "above"
    return f"whose {rule['rule']}, calibrated by its temperature, is {side} the threshold"


def _exits(found: Mapping[str, Any]) -> str:
    limits = [f"{one:.4g}" for one in found["rule"].get("thresholds", [])]
    limits += ["-"] * (len(found["exits"]) - len(limits))
    rows = [
        (
            plain(row["name"]),
            f"{row['params']:,}",
            f"{row['macs']:,}",
            f"{row['accuracy']:.4f}",
            f"{row['leaves']:.1%}",
            "-" if row["accuracy_of_those"] is None else f"{row['accuracy_of_those']:.4f}",
            limit,
            f"{row['temperature']:.3g}",
        )
        for row, limit in zip(found["exits"], limits, strict=True)
    ]
    head = (
        "exit",
        "params up to it",
        "multiply-adds up to it",
        "accuracy alone",
        "leave",
        "accuracy of those",
    )
    return f"{table((*head, 'threshold', 'temperature'), rows)}\n\nAccuracies and shares on the validation images."


def _whole(found: Mapping[str, Any]) -> str:
    rows = [
        (
            part,
            f"{one['accuracy']:.4f}",
            f"{one['last_exit']:.4f}",
            f"{round(one['macs']):,}",
            f"{one['macs'] / found['whole_macs']:.3f}",
        )
        for part, one in (("validation", found["valid"]), ("test", found["test"]))
    ]
    head = ("images", "accuracy", "the last exit alone", "mean multiply-adds", "of the whole")
    times = [
        f"{formatting.some(one['images'], 'image')}: {one['early_ms']:.3f} ms, whole {one['whole_ms']:.3f} ms"
        for one in found["latency"]
    ]
    return f"{table(head, rows)}\n\nLatency on one CPU thread of the machine that found them: {'; '.join(times)}."
