"""Describe: a data set as it was understood, in lines for a person and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainer.data.data import Data
from trainer.data.signs import class_counts, majority, signs, splits

LISTED = 10  # classes; of more, only the fewest and the most images are told


def lines(data: Data) -> tuple[str, ...]:
    """Return what was understood of a data set, one fact a line; what is doubtful stands last."""
    return tuple(_lines(data))


def _lines(data: Data) -> Iterator[str]:
    channels, height, width = data.input
    total = sum(map(len, splits(data).values()))
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    yield f"{data.name}: {data.seen.layout}; {total:,} images of {height}x{width}, {colour}, {data.seen.pixels}"
    yield f"splits: {', '.join(_split(data, name, place) for place, name in enumerate(splits(data)))}"
    name, share = majority(data)
    yield f"{_classes(data)}; always answering {name} is right for {share:.1%} of valid"
    if said := data.reading.given():
        yield f"as you said: {', '.join(f'{key}: {value}' for key, value in said.items())}"
    yield from (f"left out: {one.files:,} x {one.why}, such as {one.example}" for one in data.seen.skipped)
    yield from (f"note: {one}" for one in data.seen.notes)
    yield from (f"doubtful: {one}" for one in signs(data))


def _split(data: Data, name: str, place: int) -> str:
    origin = data.seen.origins[place]
    return f"{len(splits(data)[name]):,} {name}" + (f" ({origin})" if origin else "")


def _classes(data: Data) -> str:
    counts = sum(class_counts(data, split) for split in splits(data).values())
    pairs = list(zip(data.classes, counts.tolist(), strict=True))  # type: ignore[union-attr]
    if len(pairs) <= LISTED:
        return f"{len(pairs)} classes: {', '.join(f'{name} {count:,}' for name, count in pairs)}"
    fewest, most = min(pairs, key=lambda one: one[1]), max(pairs, key=lambda one: one[1])
    return f"{len(pairs)} classes of {fewest[1]:,} ({fewest[0]}) to {most[1]:,} ({most[0]}) images"


def to_json(data: Data) -> dict[str, Any]:
    """Return what was understood as plain values."""
    counts = {name: class_counts(data, split).tolist() for name, split in splits(data).items()}
    return {
        "name": data.name,
        "layout": data.seen.layout,
        "digest": data.digest(),
        "input": list(data.input),
        "pixels": data.seen.pixels,
        "said": data.reading.given(),
        "splits": {
            name: {"images": len(split), "from": data.seen.origins[place]}
            for place, (name, split) in enumerate(splits(data).items())
        },
        "classes": {
            one: {name: each[place] for name, each in counts.items()}
            for place, one in enumerate(data.classes)
        },
        "majority": dict(zip(("class", "share"), majority(data), strict=True)),
        "left_out": [one._asdict() for one in data.seen.skipped],
        "notes": list(data.seen.notes),
        "doubtful": list(signs(data)),
    }
