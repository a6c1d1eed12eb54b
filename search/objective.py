"""What a study looks for: named numbers of a trial, each with a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAXIMIZE, MINIMIZE = "maximize", "minimize"

# name -> the directions that make sense, the usual one first
DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "accuracy": (MAXIMIZE,),  # share of the validation images
    "loss": (MINIMIZE,),  # mean cross-entropy on the validation images
    "params": (MINIMIZE, MAXIMIZE),
    "macs": (MINIMIZE, MAXIMIZE),  # of one image
    "latency": (MINIMIZE,),  # seconds of one image, forward, on the study's device
    "memory": (MINIMIZE,),  # bytes to run one image: weights and live activations, in float32
}
LEARNT = ("accuracy", "loss")  # known only after training
PLANNED = ("params", "macs", "memory")  # known from the plan


class Objective(NamedTuple):
    """One objective, such as accuracy, maximize."""

    name: str
    direction: str

    def cost(self, value: float) -> float:
        """Return the value as a cost: lower is better."""
        return -value if self.direction == MAXIMIZE else value


def learnt(objectives: Sequence[Objective]) -> Objective:
    """Return the objective that training tells, the first where there are two."""
    return next(objective for objective in objectives if objective.name in LEARNT)


def complaint(name: str, direction: str) -> str | None:
    """Say why this objective cannot be, or None where it can."""
    if name not in DIRECTIONS:
        return f"names {name!r}; an objective may be {', '.join(DIRECTIONS)}"
    if direction in DIRECTIONS[name]:
        return None
    if direction in (MAXIMIZE, MINIMIZE):
        return f"would {direction} {name} and so look for the worst; write {name}: {DIRECTIONS[name][0]}"
    return f"has {name}: {direction!r}; it may be {' or '.join(DIRECTIONS[name])}"


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether costs `a` are nowhere above costs `b` and somewhere below."""
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))
