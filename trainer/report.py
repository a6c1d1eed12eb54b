"""Report: what a trial reached, how it ended and what it cost."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    Weights = dict[str, Tensor]

OUTCOMES = ("done", "pruned", "cut", "failed")
_WEIGHTS = ("best_weights", "last_weights")


class ReportError(ValueError):
    """Text that is no report; the message is one sentence."""


@dataclass(frozen=True)
class Row:
    """One line of the learning curve; None stands for a number that is not finite.

    epoch: counted from 1.  complete: False for an epoch that the budget cut short.
    train_loss: what was minimised (all exits weighted, labels smoothed), mean over the images.
    valid_loss, valid_accuracy: of the last exit.  seconds: charged since the trial began.
    images_per_second: training speed in this epoch, evaluation not counted.
    """

    epoch: int
    complete: bool
    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float
    seconds: float
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class Report:
    """What a trial reached. `outcome` is done, pruned, cut or failed; `reason` says it in one sentence.

    kind: of cut and failed trials: not-finite, out-of-memory, batch-too-small, timeout, device or error.
    epochs: complete ones.  best_epoch, valid_accuracy, valid_loss, exits: of the best evaluation (highest
    accuracy, then lowest loss), None before the first; exits is the accuracy of every exit.
    seconds: charged for building, training and evaluation.
    peak_memory_bytes: on CUDA; None on the CPU, where there is no cheap true number.
    best_weights, last_weights: state dicts on the CPU, kept out of JSON and comparison.
    """

    outcome: str
    kind: str | None
    reason: str
    epochs: int
    best_epoch: int | None
    valid_accuracy: float | None
    valid_loss: float | None
    exits: tuple[float, ...]
    curve: tuple[Row, ...]
    seconds: float
    images_per_second: float | None
    recipe: dict[str, Any]
    device: str
    torch: str
    threads: int
    seed: int
    peak_memory_bytes: int | None
    best_weights: "Weights | None" = field(default=None, compare=False, repr=False)
    last_weights: "Weights | None" = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the weights; numbers that are not finite become None."""
        plain = _plain(self)
        plain["exits"] = list(self.exits)
        plain["curve"] = [row.to_dict() for row in self.curve]
        return plain

    def to_json(self) -> str:
        """The report as strict JSON text, without the weights."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Report":
        """Read `to_dict`'s values back. Raises ReportError for missing, unknown or impossible ones."""
        values = _values(cls, plain)
        if not isinstance(values["curve"], list | tuple) or not isinstance(values["exits"], list | tuple):
            raise ReportError("a report's curve and exits must be lists")
        values["curve"] = tuple(Row(**_values(Row, row)) for row in values["curve"])
        values["exits"] = tuple(values["exits"])
        if values["outcome"] not in OUTCOMES:
            raise ReportError(f"outcome is {values['outcome']!r}; it must be one of {', '.join(OUTCOMES)}")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Read `to_json`'s text back. Raises ReportError."""
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReportError(f"a report must be JSON text ({error})") from None
        return cls.from_dict(plain)


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in _WEIGHTS]


def _plain(value: Any) -> dict[str, Any]:
    return {name: finite(getattr(value, name)) for name in _names(type(value))}


def _values(kind: type, plain: Any) -> dict[str, Any]:
    if not isinstance(plain, Mapping):
        raise ReportError(f"a {kind.__name__.lower()} must be a mapping, not {type(plain).__name__}")
    names = _names(kind)
    wrong = sorted(set(names).symmetric_difference(plain), key=str)
    if wrong:
        state = "lacks" if wrong[0] in names else "has an unknown"
        raise ReportError(
            f"the {kind.__name__.lower()} {state} {wrong[0]!r}; it must have {', '.join(names)}"
        )
    return dict(plain)


def finite(value: Any) -> Any:
    """The value, or None for a float that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
