"""Recipe: how a network is trained, apart from how long it may take."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("one-cycle", "cosine")
PRECISIONS = ("auto", "fp32", "bf16")
LAYOUTS = ("auto", "contiguous", "channels_last")
AVERAGES = ("none", "ema", "lookahead")
COMPILE = ("auto", "always", "never")
LR = {"sgd": 0.1, "adamw": 3e-3}
WEIGHT_DECAY = {"sgd": 5e-4, "adamw": 0.05}


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message is one sentence."""


@dataclass(frozen=True)
class Recipe:
    """How to train. Raises RecipeError, one sentence, for a value out of range.

    optimizer: sgd (Nesterov momentum) or adamw.
    lr: the schedule's peak; by default 0.1 for sgd, 0.003 for adamw.
    weight_decay: not applied to norms and biases; by default 5e-4 for sgd, 0.05 for adamw.  momentum: sgd's.
    batch: images a step.  epochs: passes over the train images.
    schedule: per step; one-cycle (by cosines up from lr/25, down to lr/250,000) or cosine (up in a line, down
    to 0 by a cosine).
    warmup: share of the steps in which lr rises.  clip: largest norm of the gradient, None = unclipped.
    crop: pixels of padding before a random crop, 0 = none, None = an eighth of the image's shorter side.
    flip: mirror half of the images in the first epoch, the others in the next, and so on in turn, where the data
    allows it.
    cutout: side in pixels of a square set to the mean, 0 = none.
    mixup: alpha of the beta distribution by which pairs of images are mixed, 0 = none.
    average: which weights are evaluated and kept: those of the last step (none), their moving average with
    ema_decay (ema), or lookahead's.
    patience: epochs without a better evaluation after which training ends, None = never.
    accumulate: parts of a batch that go through the network one after another, for one step of the optimizer.
    precision: fp32, bf16 (autocast), or auto: the faster one for this network on this device, by a probe.
    layout: of images and kernels in memory, contiguous, channels_last, or auto: by the same probe.
    compile: whether torch.compile is used: always, never, or auto: where what is left to do repays it.
    """

    optimizer: str = "sgd"
    lr: float = None  # type: ignore[assignment]  # filled from the optimizer, so that a stored recipe is complete
    weight_decay: float = None  # type: ignore[assignment]
    momentum: float = 0.9
    batch: int = 64  # digits, 9 epochs, one thread: 0.980 on valid with 64, 0.968 with 128, 0.986 with 32
    epochs: int = 20
    schedule: str = "one-cycle"
    warmup: float = 0.1  # longer ones end as well, but early epochs then tell networks apart less
    label_smoothing: float = 0.05
    clip: float | None = 5.0
    crop: int | None = None
    flip: bool = True
    cutout: int = 0
    mixup: float = 0.0
    average: str = "none"
    ema_decay: float = 0.999
    patience: int | None = None
    accumulate: int = 1
    seed: int = 0
    precision: str = "auto"
    layout: str = "auto"
    compile: str = "auto"

    def __post_init__(self) -> None:
        _check("optimizer", self.optimizer, _among(OPTIMIZERS))
        if self.lr is None:
            object.__setattr__(self, "lr", LR[self.optimizer])
        if self.weight_decay is None:
            object.__setattr__(self, "weight_decay", WEIGHT_DECAY[self.optimizer])
        for name, rule in _RULES.items():
            _check(name, getattr(self, name), rule)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Recipe":
        """A recipe from plain values, as in a study file. Raises RecipeError, also for an unknown key."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"it may have {', '.join(known)}"
                raise RecipeError(f"a recipe has no {key!r}; {hint}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Every field as a plain value; `Recipe.parse` reads it back."""
        return asdict(self)


_Rule = tuple[Callable[[Any], bool], str]


def _check(name: str, value: Any, rule: _Rule) -> None:
    holds, allowed = rule
    if not holds(value):
        raise RecipeError(f"{name} is {value!r}; it must be {allowed}")


def _among(words: tuple[str, ...]) -> _Rule:
    return (lambda value: isinstance(value, str) and value in words), f"one of {', '.join(words)}"


def _whole(low: int, high: int) -> _Rule:
    return (lambda value: _is_int(value) and low <= value <= high), f"a whole number of {low:,}..{high:,}"


def _number(holds: Callable[[float], bool], allowed: str) -> _Rule:
    return (lambda value: _is_number(value) and holds(value)), allowed


def _or_none(rule: _Rule) -> _Rule:
    return (lambda value: value is None or rule[0](value)), f"{rule[1]}, or null"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_int(value) or isinstance(value, float)) and abs(value) <= 1e300 and not math.isnan(value)


_RULES: dict[str, _Rule] = {
    "lr": _number(lambda v: v > 0, "a number above 0"),
    "weight_decay": _number(lambda v: v >= 0, "a number of 0 or more"),
    "momentum": _number(lambda v: 0 < v < 1, "a number between 0 and 1"),
    "batch": _whole(1, 1_000_000),
    "epochs": _whole(1, 100_000),
    "schedule": _among(SCHEDULES),
    "warmup": _number(lambda v: 0 <= v < 1, "a number of 0 or more and below 1"),
    "label_smoothing": _number(lambda v: 0 <= v < 1, "a number of 0 or more and below 1"),
    "clip": _or_none(_number(lambda v: v > 0, "a number above 0")),
    "crop": _or_none(_whole(0, 1024)),
    "flip": ((lambda value: isinstance(value, bool)), "true or false"),
    "cutout": _whole(0, 1024),
    "mixup": _number(lambda v: 0 <= v <= 100, "a number of 0..100"),
    "average": _among(AVERAGES),
    "ema_decay": _number(lambda v: 0 < v < 1, "a number between 0 and 1"),
    "patience": _or_none(_whole(1, 100_000)),
    "accumulate": _whole(1, 1024),
    "seed": _whole(0, 2**63 - 1),
    "precision": _among(PRECISIONS),
    "layout": _among(LAYOUTS),
    "compile": _among(COMPILE),
}
