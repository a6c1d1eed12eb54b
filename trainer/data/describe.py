"""Describe: a data set as it was understood, in lines for a person and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from trainer.data.data import Data
from trainer.data.signs import class_counts, majority, signs, splits

EIGHT_BITS = 255  # white
MEASURED = 1_000  # images of which percentiles are taken, at least
WORTH = 1_000  # JPEG files from which on `draft` saves a minute or so
LISTED = 10  # classes; of more, only the fewest and the most images are told


def lines(data: Data) -> tuple[str, ...]:
    """Return what was understood of a data set, one fact a line; what is doubtful stands last."""
    return tuple(_lines(data))


def _lines(data: Data) -> Iterator[str]:
    channels, height, width = data.input
    total = sum(map(len, splits(data).values()))
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    pixels = data.seen.pixels + _drafted(data)
    yield f"{data.name}: {data.seen.layout}; {total:,} images of {height}x{width}, {colour}, {pixels}"
    if data.white != EIGHT_BITS:
        yield f"train values from the 1st to the 99th percentile, by channel: {', '.join(_percentiles(data))}"
    yield f"splits: {', '.join(_split(data, name, place) for place, name in enumerate(splits(data)))}"
    yield f"{_classes(data)}; {_guess(data)}"
    if said := data.reading.given():
        yield f"as you said: {', '.join(f'{key}: {_shown(value)}' for key, value in said.items())}"
    yield from (f"left out: {one.files:,} x {one.why}, such as {one.example}" for one in data.seen.skipped)
    yield from (f"note: {one}" for one in _notes(data))
    yield from (f"doubtful: {one}" for one in signs(data))


def _drafted(data: Data) -> str:
    if not (data.reading.draft and data.seen.reducible):
        return ""
    return f", {data.seen.reducible:,} of them decoded at a fraction of their size"


def _notes(data: Data) -> Iterator[str]:
    yield from data.seen.notes
    if data.reading.draft is None and data.seen.reducible >= WORTH:
        yield (
            f"{data.seen.reducible:,} images are JPEG of at least four times this size; with draft: true a new study "
            "decodes them about twice as fast, by pixels that differ by about 1 of 255"
        )


def _shown(value: Any) -> str:
    """Return a value as a study file has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _percentiles(data: Data) -> Iterator[str]:
    """Yield where nearly all values of a channel lie, as they are stored, in a choice of the train images."""
    low, white = data.seen.scale
    some = data.train.x[:: max(1, len(data.train) // MEASURED)].cpu().numpy()
    for channel in range(data.input[0]):
        ends = np.percentile(some[:, channel], (1, 99)) * ((white - low) / data.white) + low
        yield f"{ends[0]:.4g}..{ends[1]:.4g}"


def _split(data: Data, name: str, place: int) -> str:
    origin = data.seen.origins[place]
    return f"{len(splits(data)[name]):,} {name}" + (f" ({origin})" if origin else "")


def _guess(data: Data) -> str:
    """Return what saying always the same is right for; of several labels, how many an image has."""
    if not data.is_multilabel:
        name, share = majority(data)
        return f"always answering {name} is right for {share:.1%} of valid"
    labels = torch.cat([split.y.cpu().sum(1) for split in splits(data).values()])
    bare = int((labels == 0).sum())
    return f"{labels.double().mean():.2f} labels an image, {bare:,} of {len(labels):,} images have none"


def _classes(data: Data) -> str:
    kind = "labels" if data.is_multilabel else "classes"
    counts = sum(class_counts(data, split) for split in splits(data).values())
    pairs = list(zip(data.classes, counts.tolist(), strict=True))  # type: ignore[union-attr]
    if len(pairs) <= LISTED:
        return f"{len(pairs)} {kind}: {', '.join(f'{name} {count:,}' for name, count in pairs)}"
    fewest, most = min(pairs, key=lambda one: one[1]), max(pairs, key=lambda one: one[1])
    return f"{len(pairs)} {kind} of {fewest[1]:,} ({fewest[0]}) to {most[1]:,} ({most[0]}) images"


def to_json(data: Data) -> dict[str, Any]:
    """Return what was understood as plain values."""
    counts = {name: class_counts(data, split).tolist() for name, split in splits(data).items()}
    return {
        "name": data.name,
        "layout": data.seen.layout,
        "digest": data.digest(),
        "input": list(data.input),
        "pixels": data.seen.pixels,
        "depth": data.white.bit_length(),
        **({"percentiles": list(_percentiles(data))} if data.white != EIGHT_BITS else {}),
        "said": data.reading.given(),
        "splits": {
            name: {"images": len(split), "from": data.seen.origins[place]}
            for place, (name, split) in enumerate(splits(data).items())
        },
        "classes": {
            one: {name: each[place] for name, each in counts.items()}
            for place, one in enumerate(data.classes)
        },
        **_json_guess(data),
        "left_out": [one._asdict() for one in data.seen.skipped],
        "notes": list(_notes(data)),
        "doubtful": list(signs(data)),
    }


def _json_guess(data: Data) -> dict[str, Any]:
    if data.is_multilabel:
        return {"multilabel": True}
    return {"majority": dict(zip(("class", "share"), majority(data), strict=True))}
