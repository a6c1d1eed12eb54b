"""Objectives: named numbers of a trial that a study maximises or minimises. An objective is one entry of `MEASURES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from search.formatting import seconds_in_ms, short, size

MAXIMIZE, MINIMIZE = "maximize", "minimize"
EXPECTED_MACS, EXPECTED_LATENCY = "expected_macs", "expected_latency"


class Source(Enum):
    """Where the value of an objective comes from."""

    # the plan of the genome, before any training
    PLAN = "plan"
    # every evaluation during the training, so that trials can be compared by it at rungs
    TRAINING = "training"
    # a measurement of the network before it is trained
    MEASURED = "measured"
    # the exits of the trained network, at thresholds from the validation images
    EXITS = "exits"


@dataclass(frozen=True)
class Measure:
    """What an objective may be, and how its value is read and shown."""

    name: str
    # those that make sense, the usual one first
    directions: tuple[str, ...]
    source: Source
    # attribute with the value: of the facts of a plan, of the report of a training, or of that of the whole trial; of
    # exits the key in `stopped` of the latter
    field: str
    # the value as people read it
    show: Callable[[float], str]
    # value of a network that errs nowhere; of those that training tells
    perfect: float = 0.0
    # whether tables show it also where it is no objective
    is_usual: bool = True


MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        # share of the validation images
        Measure("accuracy", (MAXIMIZE,), Source.TRAINING, "valid_accuracy", "{:.4f}".format, perfect=1.0),
        # mean over the classes of the share of their validation images
        Measure(
            "balanced_accuracy",
            (MAXIMIZE,),
            Source.TRAINING,
            "valid_balanced_accuracy",
            "{:.4f}".format,
            perfect=1.0,
        ),
        # mean over the classes of the F1 score on the validation images
        Measure("macro_f1", (MAXIMIZE,), Source.TRAINING, "valid_macro_f1", "{:.4f}".format, 1.0, False),
        # mean over the classes of the area under the ROC curve, each class against all others
        Measure("auc", (MAXIMIZE,), Source.TRAINING, "valid_auc", "{:.4f}".format, 1.0, False),
        # mean cross-entropy on the validation images
        Measure("loss", (MINIMIZE,), Source.TRAINING, "valid_loss", "{:.4f}".format),
        Measure("params", (MINIMIZE, MAXIMIZE), Source.PLAN, "params", "{:,.0f}".format),
        # of one image
        Measure("macs", (MINIMIZE, MAXIMIZE), Source.PLAN, "macs", short),
        # seconds of a forward pass, as the section `latency` of the study says
        Measure("latency", (MINIMIZE,), Source.MEASURED, "latency", seconds_in_ms),
        # means over the validation images of a network that stops early, as the section `exits` of the study says
        Measure(EXPECTED_MACS, (MINIMIZE,), Source.EXITS, EXPECTED_MACS, short, is_usual=False),
        Measure(EXPECTED_LATENCY, (MINIMIZE,), Source.EXITS, EXPECTED_LATENCY, seconds_in_ms, is_usual=False),
        # bytes to run one image: weights and live activations, in float32
        Measure("memory", (MINIMIZE,), Source.PLAN, "memory_bytes", size),
    )
}

# those that training tells
LEARNT = tuple(one.name for one in MEASURES.values() if one.source is Source.TRAINING)
# those that no training tells: what a network costs
COSTLY = tuple(one.name for one in MEASURES.values() if one.source is not Source.TRAINING)


class Objective(NamedTuple):
    """One objective, such as accuracy, maximize."""

    name: str
    direction: str

    @property
    def measure(self) -> Measure:
        """What is known of every objective of that name."""
        return MEASURES[self.name]

    @property
    def is_learnt(self) -> bool:
        """Whether training tells it, from the first evaluation on."""
        return self.measure.source is Source.TRAINING

    @property
    def is_measured(self) -> bool:
        """Whether it is measured of the built network, before the training."""
        return self.measure.source is Source.MEASURED

    @property
    def is_of_exits(self) -> bool:
        """Whether it is what the trained network comes to that stops early."""
        return self.measure.source is Source.EXITS

    def cost(self, value: float) -> float:
        """Return the value as a cost: lower is better."""
        return -value if self.direction == MAXIMIZE else value


def is_perfect(values: Sequence[float] | None, objectives: Sequence[Objective]) -> bool:
    """Whether a network with these values cannot be better: its only objective has its perfect value."""
    return (
        len(objectives) == 1 and values is not None and tuple(values) == (learnt(objectives).measure.perfect,)
    )


def learnt(objectives: Sequence[Objective]) -> Objective:
    """Return the objective by which trials are compared while they are trained, the first where there are two."""
    return next(objective for objective in objectives if objective.is_learnt)


def best_epoch_by(goal: Objective) -> str:
    """Return the score by which the best epoch of a training is chosen, whose weights are kept."""
    return goal.name if goal.direction == MAXIMIZE else "accuracy"


def planned_values(facts: object) -> dict[str, float]:
    """Return what is known before training, by name, of anything with the facts of a plan; without those it lacks."""
    plans = [measure for measure in MEASURES.values() if measure.source is Source.PLAN]
    found = {measure.name: getattr(facts, measure.field) for measure in plans}
    return {name: float(value) for name, value in found.items() if value is not None}


def measured_values(training: object, whole: object) -> dict[str, float]:
    """Return what was measured, by name, in the reports of a training and of its whole trial; without what was not."""
    places = {Source.TRAINING: training, Source.MEASURED: whole}
    others = [measure for measure in MEASURES.values() if measure.source in places]
    found = {measure.name: getattr(places[measure.source], measure.field) for measure in others}
    return {name: value for name, value in found.items() if value is not None}


def values_of_exits(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return those of a trial's metrics, or of its scores at a rung, that are objectives of early exits."""
    return {name: value for name, value in metrics.items() if name in (EXPECTED_MACS, EXPECTED_LATENCY)}


def formatted(name: str, value: float | None) -> str:
    """Return the value of an objective, or of any other metric, as people read it."""
    if value is None:
        return "-"
    return MEASURES[name].show(value) if name in MEASURES else str(value)


def complaint(name: str, direction: str) -> str | None:
    """Say why this objective cannot be, or None where it can."""
    if name not in MEASURES:
        return f"names {name!r}; an objective may be {', '.join(MEASURES)}"
    directions = MEASURES[name].directions
    if direction in directions:
        return None
    if direction in (MAXIMIZE, MINIMIZE):
        return f"would {direction} {name} and so look for the worst; write {name}: {directions[0]}"
    return f"has {name}: {direction!r}; it may be {' or '.join(directions)}"


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether costs `a` are nowhere above costs `b` and somewhere below."""
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))
