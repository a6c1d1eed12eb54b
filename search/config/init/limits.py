"""Limits of a first study: those that a user gives, and for the others values that suit the device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from genome import Shape
from search import formatting
from search.config.init.device import SLOWER, Device
from search.config.init.images import Images
from search.config.init.room import DRAWS, HIGHEST, Inside, Room, drawn, suited
from search.config.init.wishes import Wishes
from search.errors import StudyError

if TYPE_CHECKING:
    from genome import Plan

TRAININGS = 25  # full trainings that should fit into the budget
SEARCHED = 0.8  # share of the budget that trains networks; the rest is the finale's
LAYERS = 20  # of a usual network
LARGER = 1.5  # the limit by the multiply-adds of the usual network of the search, which is near it
# of the multiply-adds of the probed ResNet-8: smaller and larger limits are not chosen; few images teach large networks
# little, and the preset `tiny` is for a first look
SMALLEST, LARGEST, LARGEST_TINY = 1 / 4, 12.0, 1.0
LARGEST_OF_1000_IMAGES = 3.0
MOST_PARAMS = 0.97  # share of the networks inside the other limits that are inside the chosen limit of params
# shares of the drawn genomes inside the limits between which a search has a choice
FEWEST, MOST = 0.2, 0.9
RAISES = 4  # times that a chosen limit is doubled, at most, to have networks inside
NICE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


class Limits(NamedTuple):
    """The limits of a study, with a comment on each."""

    params: int
    macs: int
    latency: float | None  # seconds, of a network without exact limit
    chosen: tuple[str, ...]  # the names of those that the user did not give

    def inside(self, plan: Plan) -> bool:
        """Whether a network is inside the limits that the study checks."""
        return plan.params <= self.params and plan.macs <= self.macs


class Chosen(NamedTuple):
    """Limits, and a space that suits them."""

    limits: Limits
    room: Room


def choose(wishes: Wishes, images: Images, device: Device, epochs: int, batch: int) -> Chosen:
    """Choose limits and widths. Raises StudyError, one sentence, for limits that no or every network meets."""
    affordable = wishes.macs or _macs(wishes, images, device, epochs, batch)
    macs, room = _affordable(wishes, images, device, affordable)
    met = room.inside(_wanted(wishes, device, macs))
    params = wishes.params or nice(sorted(plan.params for plan in met)[int(MOST_PARAMS * (len(met) - 1))])
    if wishes.latency is not None and wishes.macs is None:
        macs = min(macs, nice(max(plan.macs for plan in met)))
    names = tuple(name for name in ("params", "macs") if getattr(wishes, name) is None)
    limits = Limits(params, macs, wishes.latency, names)
    share = len(room.inside(limits.inside)) / DRAWS
    return Chosen(limits, room._replace(share=share))


def _affordable(wishes: Wishes, images: Images, device: Device, macs: int) -> tuple[int, Room]:
    """Return a limit of multiply-adds and a space with networks inside; a limit that was chosen is raised for them.

    Raises StudyError where hardly a network meets the limits, or nearly every one does.
    """
    shape = Shape(*images.input)
    room = suited(wishes.preset, shape, images.classes, _wanted(wishes, device, macs))
    for _ in range(RAISES if wishes.macs is None else 0):
        if room.share >= FEWEST:
            break
        macs *= 2
        room = suited(wishes.preset, shape, images.classes, _wanted(wishes, device, macs))
    _check(wishes, room, device, shape, images.classes)
    return macs, room


def _wanted(wishes: Wishes, device: Device, macs: int) -> Inside:
    """Return the function that says whether a network has what the user wants, and is affordable."""

    def wanted(plan: Plan) -> bool:
        if plan.macs > macs or (wishes.params is not None and plan.params > wishes.params):
            return False
        return wishes.latency is None or device.latency(plan) <= wishes.latency

    return wanted


def _macs(wishes: Wishes, images: Images, device: Device, epochs: int, batch: int) -> int:
    """Return the multiply-adds with which enough full trainings fit into the budget, within reason for the images."""
    seconds = SEARCHED * wishes.seconds * device.workers / TRAININGS  # of a training, for one worker
    steps = max(1, images.train // batch) * epochs
    left = seconds / (SLOWER * steps) - LAYERS * device.layer_seconds
    affordable = LARGER * left / (device.mac_seconds * batch)
    return nice(min(max(affordable, SMALLEST * device.macs), _largest(wishes, images) * device.macs))


def _largest(wishes: Wishes, images: Images) -> float:
    """Return the largest limit to choose, by the multiply-adds of the ResNet-8."""
    if wishes.preset == "tiny":
        return LARGEST_TINY
    return min(LARGEST_OF_1000_IMAGES * math.sqrt(max(images.train / 1000, 0.25)), LARGEST)


def _check(wishes: Wishes, room: Room, device: Device, shape: Shape, classes: int) -> None:
    """Raise StudyError where hardly a network of the space meets the limits, or nearly every network does."""
    if FEWEST <= room.share <= MOST:
        return
    names = [name for name in ("params", "macs", "latency") if getattr(wishes, name) is not None]
    given = " and ".join(f"--{name} {_told(name, getattr(wishes, name))}" for name in names)
    if room.share > MOST:
        raise StudyError(
            f"{given}: {room.share:.0%} of the largest networks of `{room.preset}` are inside; give lower limits"
        )
    least = drawn(wishes.preset, shape, classes, HIGHEST[0], lambda plan: True).plans
    medians = ", ".join(f"{_told(name, _median(name, least, device))} {name}" for name in names or ["macs"])
    raise StudyError(
        f"{given or 'the chosen limits'}: {room.share:.0%} of the smallest networks of `{room.preset}` are inside; "
        f"half of them have less than {medians}: give a limit of that or more, or --preset tiny"
    )


def _median(name: str, plans: tuple[Plan, ...], device: Device) -> float:
    values = [device.latency(plan) if name == "latency" else getattr(plan, name) for plan in plans]
    return float(sorted(values)[len(values) // 2])


def _told(name: str, value: float) -> str:
    return formatting.seconds_in_ms(value) if name == "latency" else formatting.short(round(value))


def nice(value: float) -> int:
    """Return the smallest round number that is not below a value."""
    size = int("1" + "0" * (len(str(max(int(value), 1))) - 1))
    return next(round(step * size) for step in NICE if step * size >= value or step == NICE[-1])
