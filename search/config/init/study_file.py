"""The text of a first study: a YAML file in which every line that is not obvious has a comment."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from genome import Shape
from genome.text import flow
from search import formatting
from search.config.init.device import Device
from search.config.init.images import Images, path_from
from search.config.init.limits import Chosen
from search.config.init.room import DRAWS
from search.config.init.training import LR, OPTIMIZER, Training
from search.config.init.wishes import Wishes
from search.space import preset

WIDTH = 118  # letters of a line of comment
COLUMN = 36  # at which comments begin
ENOUGH = 300  # full trainings
BODY = "BLOCKS"  # stands for the alias of YAML, which `flow` cannot write


DRAFTED = (
    "With draft: true JPEG files are decoded at a half, a quarter or an eighth of their size where that is at least "
    "twice the size asked for: about twice as fast, by pixels that differ by about 1 of 255."
)


class FirstStudy(NamedTuple):
    """All that is known when the file is written."""

    images: Images
    device: Device
    wishes: Wishes
    chosen: Chosen
    training: Training


def study_text(found: FirstStudy, folder: Path, is_full: bool) -> str:
    """Return the study file, for a file in `folder`; with `is_full` the space is written node by node."""
    images, training = found.images, found.training
    recipe = f"optimizer: {OPTIMIZER}, lr: {LR}, batch: {training.batch}, epochs: {training.epochs}"
    lines = [
        *_remark(f"{seen(images)}."),
        *_remark(f"Device: {measured(found.device)}."),
        _line(f"study: {flow(images.name)}", f"the results will be in runs/{images.name}/"),
        *_data(images, folder),
        *_objectives(found),
        *_budget(found),
        *_limits(found),
        "sampler: {name: auto, seed: 0}",
        _line("pruner: forecast", "at each rung, a network is stopped that promises less than a new one"),
        f"train: {{{recipe}}}",
        "",
        *(_full_space(found) if is_full else _space(found)),
    ]
    return "\n".join(lines) + "\n"


def _line(written: str, comment: str) -> str:
    """Return a line with a comment behind it."""
    return f"{written:<{COLUMN}}  # {comment}"


def _remark(sentence: str) -> list[str]:
    """Return a comment of one line or more."""
    return [f"# {line}" for line in textwrap.wrap(sentence, WIDTH - 2, break_long_words=False)]


def seen(images: Images) -> str:
    """Return a sentence that describes the images."""
    channels, height, width = images.input
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    kind = "labels" if images.multilabel else "classes"
    few, many = images.fewest.images, images.most.images
    each = f"{few:,}" if few == many else f"{few:,} ({images.fewest.name}) to {many:,} ({images.most.name})"
    return (
        f"{images.name}: {images.total:,} images, {height}x{width}, {colour}; {images.classes} {kind} of {each}; "
        f"{images.train:,} to train, {images.valid:,} to validate, {images.test:,} to test"
    )


def measured(device: Device) -> str:
    """Return a sentence that describes the device."""
    workers = "each core trains one network" if device.name == "cpu" else "the networks train on the GPU"
    return (
        f"{device.name}, {formatting.some(device.cores, 'core')}, {formatting.size(device.memory_bytes)}; {workers}, "
        f"a ResNet-8 of {formatting.short(device.macs)} multiply-adds with {device.images_per_second:,.0f} images/s"
    )


def limited(found: FirstStudy) -> str:
    """Return a sentence about the limits."""
    limits, room = found.chosen.limits, found.chosen.room
    chosen = " and ".join(limits.chosen)
    why = f"; {chosen} chosen for the images, the device and the budget" if chosen else ""
    return f"{room.share:.0%} of {DRAWS} drawn networks are inside the limits{why}"


def fitting(found: FirstStudy) -> str:
    """Return a sentence about the trainings that fit into the budget."""
    training = found.training
    return (
        f"about {formatting.some(training.trainings, 'full training')} of {training.epochs} epochs fit into "
        f"{found.wishes.budget}; more networks are tried, as weak ones are stopped early"
    )


def warnings(found: FirstStudy) -> list[str]:
    """Return a sentence for each thing that may surprise the user."""
    images, lines = found.images, []
    if images.grey:
        some = "all" if images.grey == images.total else f"{images.grey:,} of {images.total:,}"
        lines.append(f"{some} images are grey and are read as colour; store all of them as grey, or none")
    if images.most.images > 3 * images.fewest.images and not images.multilabel:
        always = images.most.images / images.total
        lines.append(
            f"the classes are of unequal size: always answering {images.most.name} is right {always:.0%}"
        )
    if found.training.trainings > ENOUGH:
        lines.append("the budget is more than so few images need: a shorter --budget will do")
    if found.training.trainings < 20:
        lines.append("few trainings fit: give a larger --budget, lower limits or smaller images (--size)")
    return lines


def _data(images: Images, folder: Path) -> list[str]:
    if images.is_named:
        return [f"data: {images.place}"]
    written = {"path": path_from(images.place, folder), **images.reading.given(), "mirror": False}
    line = _line(f"data: {flow(written)}", "mirror: true if a mirrored image keeps its class")
    return [*(_remark(DRAFTED) if images.reading.draft else []), line]


def _objectives(found: FirstStudy) -> list[str]:
    goal = "auc" if found.images.multilabel else "accuracy"
    if found.wishes.latency is None:
        return [_line(f"objectives: {{{goal}: maximize}}", "or with `macs: minimize`, for a Pareto front")]
    most = formatting.seconds_in_ms(found.wishes.latency)
    return [
        *_remark(
            f"Latency is measured before a network is trained, and one slower than {most} is not trained. The limits "
            "of params and macs below are an estimate of what is so fast. The result is a Pareto front."
        ),
        f"objectives: {{{goal}: maximize, latency: minimize}}",
    ]


def _budget(found: FirstStudy) -> list[str]:
    training = found.training
    return [
        *_remark(f"{fitting(found).capitalize()}."),
        "budget:",
        _line(f"  device_time: {found.wishes.budget}", "of the whole search; a fifth retrains the best"),
        _line(f"  per_trial: {_time(training.per_trial)}", "a training that takes longer is stopped"),
        _line(f"  memory: {training.memory}GiB", "of one training"),
        _line(f"  rungs: {list(training.rungs)}", "epochs after which networks are compared"),
    ]


def _time(seconds: int) -> str:
    """Return seconds as a study file has them, such as 20s, 3m or 1h."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _limits(found: FirstStudy) -> list[str]:
    limits = found.chosen.limits
    latency = "" if limits.latency is None else f", latency: {1000 * limits.latency:.6g}ms"
    return [
        *_remark(f"A network above a limit is not trained. {limited(found)}."),
        f"limits: {{params: {limits.params:_}, macs: {limits.macs:_}{latency}}}",
    ]


def _space(found: FirstStudy) -> list[str]:
    room = found.chosen.room
    others = ", ".join(name for name in preset.names() if name != room.preset)
    widths = [f"    {key}: {flow(value)}" for key, value in room.widths.items()]
    meanings = (
        "channels of the first stage; later ones may have multiples",
        "channels added up to the last block",
    )
    return [
        *_remark(
            f"The preset {room.preset}: {preset.title(room.preset)}. `genome init --full` writes its nodes out."
        ),
        "space:",
        _line(f"  preset: {room.preset}", f"or {others}"),
        _line(f"  stages: {room.stages}", "each has half of the height and width of the one before"),
        "  widths:",
        *map(_line, widths, meanings),
    ]


def _full_space(found: FirstStudy) -> list[str]:
    room = found.chosen.room
    space = preset.filled(room.preset, Shape(*found.images.input), room.stages, room.widths)
    body = space["nodes"]["s1"]["body"]
    lines = [
        *_remark(
            "one_of, int, float and any are what is searched; (name) may be left out; 2x is twice the width that the "
            "schedule gives."
        ),
        "space:",
        f"  widths: {flow(space['widths'])}",
        "  nodes:",
    ]
    for key, node in space["nodes"].items():
        lines += _first_stage(node, body) if key == "s1" else [f"    {key}: {_flow(node, body)}"]
    return lines


def _first_stage(node: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """Return the lines of the node whose body the later stages name."""
    rest = [f"      {key}: {flow(value)}" for key, value in node.items() if key != "body"]
    blocks = [f"            - {flow(choice)}" for choice in body["op"]["one_of"]]
    return ["    s1:", *rest, "      body: &blocks", "        op:", "          one_of:", *blocks]


def _flow(node: dict[str, Any], body: dict[str, Any]) -> str:
    known = {**node, "body": BODY} if node.get("body") == body else node
    return flow(known).replace(f"body: {BODY}", "body: *blocks")
