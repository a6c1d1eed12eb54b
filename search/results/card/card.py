"""README.md of an export: the network's model card, written from its report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from search import formatting
from search.objective import EXPECTED_LATENCY, EXPECTED_MACS
from search.results.card import exits
from search.results.card.hub import front_matter
from search.results.card.markdown import plain, table
from search.results.card.origin import lineage, training
from search.results.card.results import accuracy, by_class, confusion
from search.results.model_file import MODEL_FILE
from search.storage.latency import MeasuredLatency

USAGE = """\
With Genome, from inside this folder (from elsewhere, give its path):

```python
import search, torch

module, info = search.load_export(".")  # checks the sha256 of what it reads
x = torch.rand(1, *info["input"])  # pixels in 0..1, (batch, channels, height, width)
mean, std = (torch.tensor(info[k]).view(1, -1, 1, 1) for k in ("mean", "std"))
{answer}
```"""
ONE = 'print(info["classes"][module((x - mean) / std)[-1].argmax()])'
SEVERAL = """\
probabilities = module((x - mean) / std)[-1].sigmoid()[0]
print([name for name, p in zip(info["classes"], probabilities) if p > 0.5])"""
PLAIN = """\
`model.py` is the network in plain PyTorch, and needs torch and safetensors, not Genome:

```python
import model

network = model.load()  # in eval mode on the CPU
```"""
UNKNOWN = """\
**Nothing is known of the images that these weights were trained on.** The classes are numbered, and mean 0 and std
1 leave pixels as they are; if the training normalised its images, the answers are wrong until `mean` and `std` are
right."""
MOST_LISTED = 100  # classes


def card(info: Mapping[str, Any], name: str, files: Collection[str], is_for_hub: bool = False) -> str:
    """Return the card of a network as Markdown.

    info: its report.  files: the names of the other files of the export.  is_for_hub: whether it begins with the YAML
    that model hubs read.
    """
    sections: Sequence[tuple[str, Callable[[], str]]] = (
        ("Use", lambda: _use(info, files)),
        ("Images", lambda: _images(info)),
        ("Accuracy", lambda: accuracy(info)),
        ("By label" if info.get("multilabel") else "Accuracy by class", lambda: by_class(info)),
        ("Confusion matrix", lambda: confusion(info)),
        (exits.TITLE, lambda: exits.without_thresholds(info)),
        (exits.BEFORE, lambda: _cost(info)),
        ("Latency", lambda: _latency(info)),
        ("Training", lambda: training(info)),
        ("Lineage", lambda: lineage(info)),
        ("Versions", lambda: _versions(info)),
    )
    told = [(title, made) for title, text in sections if (made := text())]
    head = [f"# {plain(name)}", _what(info), *_drawn(name, files)]
    text = "\n\n".join([*head, *(f"## {title}\n\n{made}" for title, made in told)]) + "\n"
    return (front_matter(info, name) if is_for_hub else "") + text


def _what(info: Mapping[str, Any]) -> str:
    channels, height, width = info["input"]
    found = (
        f"trial {info['trial']} of the architecture search {plain(info['study'])}" if "study" in info else ""
    )
    on = f" on {plain(info['data'])}" if info["training"] else ""
    came = f" It is {found}, trained{on}." if found else f" It was trained{on}." if on else ""
    pixels = f"images of {height}x{width} pixels and {formatting.some(channels, 'channel')}"
    does = f"puts {pixels} into {len(info['classes'])} classes"
    if info.get("multilabel"):
        does = f"says of {pixels} which of {len(info['classes'])} labels they have"
    return (
        f"A network that {does}: {info['params']:,} params, {formatting.short(info['macs'])} multiply-adds "
        f"for one image.{came}"
    )


def _drawn(name: str, files: Collection[str]) -> list[str]:
    return [f"![The graph of {plain(name)}](architecture.svg)"] if "architecture.svg" in files else []


def _use(info: Mapping[str, Any], files: Collection[str]) -> str:
    parts = []
    if MODEL_FILE in files:
        parts.append(PLAIN)
        if info["pictures"]:
            what = "labels" if info.get("multilabel") else "class"
            shell = f"python model.py PICTURE...    # prints the {what} of each picture"
            parts.append(f"It reads pictures, too, where Pillow is installed:\n\n```sh\n{shell}\n```")
    parts.append(USAGE.replace("{answer}", SEVERAL if info.get("multilabel") else ONE))
    if info["pictures"]:
        parts.append("```sh\ngenome predict . PICTURE...\n```")
    return "\n\n".join(parts)


def _images(info: Mapping[str, Any]) -> str:
    words = [plain(word) for word in info["classes"]]
    more = f", and {len(words) - MOST_LISTED} more in `report.json`" if len(words) > MOST_LISTED else ""
    channels = zip(info["mean"], info["std"], strict=True)
    rows = [(str(i), f"{mean:.6g}", f"{std:.6g}") for i, (mean, std) in enumerate(channels)]
    parts = [
        f"{'Labels' if info.get('multilabel') else 'Classes'}, in the order of the logits: "
        f"{', '.join(words[:MOST_LISTED])}{more}.",
        _decoding(info),
        table(("channel", "mean", "std"), rows),
    ]
    if info.get("images_unknown"):
        parts.insert(0, UNKNOWN)
    if "example" in info:
        one = info["example"]
        parts.append(
            '<img src="example.png" width="128" alt="A test image">\n\n'
            "`example.png` is the first test image as the network sees it before it is normalised: "
            f"{'labels' if info.get('multilabel') else 'of class'} {plain(one['class'])}, taken for "
            f"{plain(one['predicted'])}."
        )
    return "\n\n".join(filter(None, parts))


FITTED = {
    "stretch": "nothing is cropped",
    "crop": "the middle of its proportions, by ImageOps.fit",
    "pad": "as a whole, with black on two sides, by ImageOps.pad",
}
DRAFT = ", a JPEG after it is decoded at the smallest fraction of its size that is twice the larger side (Image.draft)"


def _decoding(info: Mapping[str, Any]) -> str:
    how = info["pictures"]
    white = 2 ** info.get("depth", 8) - 1
    scale = f"Pixels are divided by {white}; then the mean is subtracted, and the result divided by std."
    if how is None:
        return f"The images are arrays (channels, height, width). {scale}"
    height, width = how["size"]
    colours = "grey" if how["mode"] == "L" else how["mode"]
    return (
        f"A picture is turned upright (EXIF), converted to {colours}, and resized to {height}x{width} (bilinear with "
        f"antialias, as Pillow does; {FITTED[how['fit']]}){DRAFT if how['draft'] else ''}. {scale}"
    )


# by the objective: what is told of a network that stops early, and its number as text
STOPPED: Mapping[str, tuple[str, Callable[[float], str]]] = {
    EXPECTED_MACS: ("mean multiply-adds", lambda cost: f"{round(cost):,}"),
    EXPECTED_LATENCY: ("mean time of an image", formatting.seconds_in_ms),
}


def _cost(info: Mapping[str, Any]) -> str:
    rows = [
        ("params", f"{info['params']:,}"),
        ("multiply-adds for one image", f"{info['macs']:,}"),
        ("memory for one image, float32", formatting.size(info["memory_bytes"])),
    ]
    if one := MeasuredLatency.of_json(info.get("latency")):
        noise = formatting.milliseconds(one.noise)
        rows.append((f"latency of {one.key.setting}", f"{formatting.seconds_in_ms(one.seconds)} ± {noise}"))
    for objective, one in (info.get("stopped") or {}).items():
        what, cost = STOPPED[objective]
        accuracy = f"accuracy {one['accuracy']:.4f}"
        rows.append((f"{what} where images leave early, valid", f"{cost(one['cost'])}, {accuracy}"))
    if budget := info.get("budget"):
        rows += [
            ("device time of its trainings", formatting.seconds(budget["trial_seconds"])),
            (f"device time of the search, {budget['trials']} trials", formatting.seconds(budget["seconds"])),
        ]
    return table(("", ""), rows)


def _latency(info: Mapping[str, Any]) -> str:
    if "formats" not in info:
        return ""
    seen = info["formats"]
    sizes = list(seen["eager"])
    rows = [("as built, PyTorch", *_times(seen["eager"], sizes), "", "")]
    for name, one in seen["checked"].items():
        if one["is_kept"]:
            difference, same = f"{one['largest_difference']:.0e}", f"{one['same_predictions']:.1%}"
            rows.append((name, *_times(one["milliseconds"], sizes), difference, same))
    images = "test images" if seen["test_images"] else "random images"
    head = ("", *(f"ms, batch {size}" for size in sizes), "largest difference", "same class")
    told = "Median milliseconds on one CPU thread of the machine that exported, and the largest difference"
    return f"{table(head, rows)}\n\n{told} of the logits from those of the network, on {images}."


def _times(found: Mapping[str, Mapping[str, float]], sizes: Sequence[str]) -> list[str]:
    return [f"{found[size]['p50']:.2f}" for size in sizes]


def _versions(info: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items())
    return f"{versions}. `report.json` has every number of this card, and the sha256 of every file."
