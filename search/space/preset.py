"""Presets: search spaces by name, which fit themselves to the images of a study.

A preset is the file of a space for 32x32 images in `search/space/presets/`. Filled in for other images it loses the
stages that these are too small for. A node whose name ends in a number belongs to the stage of that number.

The space of a study is stored in full, and the file is compared with it when the study is resumed: a preset is not
changed after a release, a better one gets a new name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from genome.domain import Int
from genome.op import Shape
from genome.yaml.fields import fields, mapping, near, settled
from genome.yaml.source import Address, Source, parse, shown
from search.space.parse import PARTS

KEY = "preset"
NARROWING = ("stages", "widths")
FOLDER = files("search.space") / "presets"
# the smallest side, in pixels, of images with one stage more: the last image of a stage is 4 to 8 pixels wide
MORE_STAGES = (6, 16, 48)
LARGE = 65  # the smallest side from which the stem halves the image twice, as in the networks for ImageNet
_STAGE = re.compile(r"\(?[A-Za-z]+(\d+)\)?\Z")


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets."""
    found = (file.name for file in FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def text(name: str) -> str:
    """Return the text of a preset's file."""
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def title(name: str) -> str:
    """Return the sentence that describes a preset: the comment at the beginning of its file."""
    lines = [line[1:].strip() for line in text(name).splitlines() if line.startswith("# ")]
    head = " ".join(lines).partition(". ")[0]
    return head.removeprefix(f"{name}: ").rstrip(".")


def usual_stages(shape: Shape) -> int:
    """Return the number of stages for images of a shape."""
    return 1 + sum(min(shape.height, shape.width) >= side for side in MORE_STAGES)


def most_stages(name: str) -> int:
    """Return the number of stages in the file of a preset."""
    return max(_stage(key) for key in _nodes(name))


def in_full(source: Source, at: Address, shape: Shape) -> Source:
    """Return the document with the space at an address in full, for images of `shape`; as it is without a preset.

    Raises SourceError with its place for an unknown preset, and for a key that does not narrow one.
    """
    value = source.value[at[0]]
    if not isinstance(value, dict) or KEY not in value:
        return source
    for key in value:
        if key not in (KEY, *NARROWING):
            raise source.error(
                (*at, key),
                f"{at[0]}.{shown(key)} stands beside preset, which {' and '.join(NARROWING)} may narrow; "
                "for other changes write the space in full, as `genome init NAME --full` does",
            )
    given = fields(source, at, value, (KEY, *NARROWING), required=(KEY,))
    name = given[KEY]
    if name not in names():
        close = near(name, names()) if isinstance(name, str) else ""
        raise source.error(
            (*at, KEY), f"{at[0]}.preset is {shown(name)}{close}; it may be {', '.join(names())}"
        )
    stages = min(usual_stages(shape), most_stages(name))
    if given.get("stages") is not None:
        legal = Int(1, most_stages(name))
        stages = settled(source, (*at, "stages"), f"{at[0]}.stages", legal, given["stages"])
    widths = mapping(source, (*at, "widths"), given.get("widths") or {}, "such as {base: {int: [4, 16]}}")
    return replace(source, value={**source.value, at[0]: filled(name, shape, stages, widths)})


def filled(name: str, shape: Shape, stages: int, widths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the space of a preset, as in YAML, with so many stages and these keys of `widths` in place of its own.

    The width of the stem has the range of `widths.base`.
    """
    space = {key: deepcopy(value) for key, value in _value(name).items() if key in PARTS}
    nodes = space["nodes"]
    space["widths"] |= widths
    if "base" in widths:
        nodes["stem"]["width"] = deepcopy(widths["base"])
    if min(shape.height, shape.width) >= LARGE:
        nodes["stem"] |= {"stride": 2, "kernel": {"one_of": [3, 7]}}
        return {**space, "nodes": _without(nodes, [key for key in nodes if _stage(key) > stages])}
    gone = [key for key in nodes if key == "shrink" or _stage(key) > stages]
    return {**space, "nodes": _without(nodes, gone)}


def _without(nodes: Mapping[str, Any], gone: list[str]) -> dict[str, Any]:
    """Return nodes without some; who read one of those reads what it read first."""
    first = {key.strip("()"): nodes[key]["in"][0] for key in gone}

    def read(name: str) -> str:
        while name in first:
            name = first[name]
        return name

    kept = {key: node for key, node in nodes.items() if key not in gone}
    return {key: {**node, "in": [read(name) for name in node["in"]]} for key, node in kept.items()}


def _stage(key: str) -> int:
    """Return the number of the stage that a node belongs to; 0 for one that belongs to none."""
    found = _STAGE.match(key)
    return int(found[1]) if found else 0


def _nodes(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _value(name)["nodes"]
    return found


@cache
def _value(name: str) -> dict[str, Any]:
    found: dict[str, Any] = parse(text(name), f"{name}.yaml").value
    return found
