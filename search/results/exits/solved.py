"""`genome exits`: thresholds of a trained network's exits from validation images, and what they come to."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import genome
from genome.exits.calibration import calibration_error
from genome.exits.curve import Outcome, Point, Seen, Target, TargetError, curve, outcome, outcomes, picked
from genome.exits.segments import costs, segments
from search import formatting
from search.errors import StudyError
from search.results.exits.expected import calibrated
from search.results.exits.latency import Latency, latency, seconds_of_exits
from search.results.exits.target import Wanted
from search.results.trained import Trained

if TYPE_CHECKING:
    from torch import Tensor

    from genome.network import Network
    from trainer import Data, Split

log = logging.getLogger("search")

BATCH = 256  # images that run together
BATCHES = (1, 64)  # images that latency is measured with


@dataclass(frozen=True)
class ExitRow:
    """One exit of a network on the validation images."""

    name: str
    reads: tuple[str, ...]  # the nodes that it reads
    params: int  # of all that runs until it answers
    macs: int  # likewise
    accuracy: float  # of all images
    leaves: float  # share of the images
    accuracy_of_those: float | None  # None where no image leaves
    temperature: float
    error: float  # expected calibration error
    error_after: float  # with the temperature


class OnCurve(NamedTuple):
    """A point of the curve that is stored."""

    point: Point  # its cost is that of the target: multiply-adds or seconds
    valid: Outcome  # on the validation images, in multiply-adds


@dataclass(frozen=True)
class Found:
    """Thresholds with what they come to. Costs are multiply-adds."""

    target: Wanted
    word: str  # of the rule
    point: Point  # the chosen one, on the validation images
    rows: tuple[ExitRow, ...]
    whole: int  # multiply-adds of the whole network
    last: tuple[float, float]  # accuracy of the last exit alone, on validation and test images
    valid: Outcome
    test: Outcome
    latency: tuple[Latency, ...]
    curve: tuple[OnCurve, ...]  # the cheapest first, the chosen one among them


def find(one: Trained, data: Data, word: str, target: Wanted) -> Found:
    """Solve the thresholds of a network on the validation images, and look once at the test images.

    word: of the rule.

    Raises:
        StudyError: a network of one exit, other images or classes than it was trained on, or a target that no
            thresholds reach.
    """
    _check(one, data)
    network, prices = one.network, costs(segments(one.plan.steps, one.plan.exits))
    valid = calibrated(seen_of(network, one, data.valid))
    sample = _evenly(_normalised(one, data.valid.x), BATCHES[-1])
    in_unit = seconds_of_exits(network, sample[:1]) if target.kind == "latency" else prices
    points = curve(word, valid, in_unit)
    point = _picked(points, target, valid)
    early = genome.EarlyExit(network, point.rule)
    test = seen_of(network, one, data.test)
    on_valid = outcome(point.rule, valid, prices)
    return Found(
        target,
        word,
        point,
        tuple(_rows(one, valid, on_valid, prices)),
        one.plan.macs,
        (valid.accuracies()[-1], test.accuracies()[-1]),
        on_valid,
        outcome(point.rule, test, prices),
        tuple([latency(network, early, sample, size) for size in BATCHES]),
        tuple(_on_curve(points, point, valid, prices)),
    )


def _on_curve(
    points: Sequence[Point], chosen: Point, valid: Seen, prices: Sequence[int]
) -> Iterator[OnCurve]:
    kept = sorted({*thinned(points), chosen}, key=lambda one: one.cost)
    return map(OnCurve, kept, outcomes([one.rule for one in kept], valid, prices))


def seen_of(network: Network, one: Trained, split: Split) -> Seen:
    """Return the logits of every exit for a split."""
    import numpy as np
    import torch

    with torch.inference_mode():
        parts = [[z.numpy() for z in network(_normalised(one, x))] for x in torch.split(split.x, BATCH)]
    return Seen(tuple([np.concatenate(of_exit) for of_exit in zip(*parts, strict=True)]), split.y.numpy())


def _check(one: Trained, data: Data) -> None:
    """Raise StudyError where the network cannot stop early, or the images are not those of its kind."""
    facts = one.facts
    if len(one.plan.exits) < 2:
        raise StudyError(f"{one.name} has one exit; stopping early needs a network with two or more")
    if facts.multilabel:
        raise StudyError(
            f"{one.name} says several labels of an image; the rules of leaving early are of one class an image, so its "
            "exits run as a whole"
        )
    if data.is_multilabel:
        raise StudyError(
            f"the images of {data.name} have several labels, and {one.name} names one class of an image"
        )
    if data.input != facts.input:
        theirs, ours = (genome.Shape(*shape) for shape in (data.input, facts.input))
        raise StudyError(f"the images of {data.name} are {theirs}; {one.name} takes {ours}")
    if data.classes != facts.classes:
        raise StudyError(
            f"the classes of {data.name} are not those of {one.name} ({len(data.classes)} and {len(facts.classes)}: "
            f"{_first_difference(data.classes, facts.classes)}); name the data that it was trained on"
        )
    if data.digest() != facts.digest:
        log.warning(
            "the images of %s are not those that %s was trained on: its training may have seen some of the "
            "validation images, and thresholds from these would promise too much",
            data.name,
            one.name,
        )


def _first_difference(theirs: Sequence[str], ours: Sequence[str]) -> str:
    pairs = zip([*theirs, "none"], [*ours, "none"], strict=False)
    return next((f"{a} where it has {b}" for a, b in pairs if a != b), "their order differs")


def _picked(points: Sequence[Point], target: Wanted, valid: Seen) -> Point:
    last = valid.accuracies()[-1]
    try:
        return picked(points, Target("drop" if target.kind == "drop" else "cost", target.value), last)
    except TargetError as error:
        near, cost = error.nearest, error.nearest.cost
        least = formatting.seconds_in_ms(cost) if target.kind == "latency" else formatting.short(round(cost))
        raise StudyError(
            f"no thresholds reach --{target.kind} {target.text} on the validation images; the nearest have {least}, "
            f"accuracy {near.accuracy:.4f} ({last:.4f} by the last exit alone)"
        ) from None


def _rows(one: Trained, valid: Seen, found: Outcome, prices: Sequence[int]) -> list[ExitRow]:
    params = _params(one)
    rows = []
    for k, place in enumerate(one.plan.exits):
        z, temperature = valid.logits[k], valid.temperatures[k]
        node = one.plan.steps[place].node
        errors = [calibration_error(z, valid.labels, scale) for scale in (1.0, temperature)]
        row = ExitRow(
            node.name,
            node.ins,
            params[k],
            prices[k],
            valid.accuracies()[k],
            found.shares[k],
            found.accuracies[k],
            temperature,
            *errors,
        )
        rows.append(row)
    return rows


def _params(one: Trained) -> list[int]:
    """Return the parameters of all that runs until each exit answers; what two nodes share counts once."""
    modules = [*one.network.nodes.values()]
    known: dict[int, int] = {}
    found = []
    for part in segments(one.plan.steps, one.plan.exits):
        known |= {id(p): p.numel() for i in part.steps for p in modules[i].parameters()}
        found.append(sum(known.values()))
    return found


def _normalised(one: Trained, x: Tensor) -> Tensor:
    """Return images as the network was trained on them, whatever the mean and the depth of these ones are."""
    import torch

    mean, std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (one.facts.mean, one.facts.std))
    return x.float() * (1 / (torch.iinfo(x.dtype).max * std)).float() + (-mean / std).float()


def _evenly(images: Tensor, count: int) -> Tensor:
    return images[:: max(len(images) // count, 1)][:count]


def to_json(one: Trained, data: Data, found: Found) -> dict[str, Any]:
    """Return what is found as plain values, as exits.json holds it."""
    return {
        "rule": found.point.rule.to_json(),
        "weights": one.weights,
        "network": one.plan.genome.name,
        "kind": found.word,
        "target": found.target.to_json(),
        "data": data.name,
        "data_digest": data.digest(),
        "whole_macs": found.whole,
        "exits": [vars(row) | {"reads": list(row.reads)} for row in found.rows],
        "valid": _outcome_json(found.valid, found.last[0], len(data.valid)),
        "test": _outcome_json(found.test, found.last[1], len(data.test)),
        "latency": [part.to_json() for part in found.latency],
        "curve": [_curve_json(*one) for one in found.curve],
        "curve_unit": "seconds" if found.target.kind == "latency" else "macs",
    }


def _outcome_json(found: Outcome, last: float, images: int) -> dict[str, Any]:
    plain = {"shares": list(found.shares), "accuracies": list(found.accuracies)}
    return {"accuracy": found.accuracy, "last_exit": last, "macs": found.cost, "images": images, **plain}


def _curve_json(point: Point, valid: Outcome) -> dict[str, Any]:
    by_exit = {"shares": list(valid.shares), "accuracies": list(valid.accuracies)}
    told = {"accuracy": point.accuracy, "cost": point.cost, "macs": valid.cost}
    return {**told, **by_exit, "rule": point.rule.to_json()}


MOST_POINTS = 100  # of a curve that is stored


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Return at most 100 points of a curve, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(i * step)] for i in range(MOST_POINTS)]
