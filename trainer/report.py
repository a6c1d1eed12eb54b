"""Report: what a trial reached, how it ended and what it cost."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from trainer.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    Weights = dict[str, Tensor]

OUTCOMES = ("done", "pruned", "cut", "interrupted", "failed")
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
    """What a trial reached. `outcome` is one of OUTCOMES; `reason` says it in one sentence.

    kind: of cut and failed trials: not-finite, out-of-memory, batch-too-small, timeout, device or error.
    epochs: complete ones.  best_epoch, valid_accuracy, valid_loss, exits: of the best evaluation (highest
    accuracy, then lowest loss), None before the first; exits is the accuracy of every exit.
    seconds: charged for building, training and evaluation.  parts: how they were spent, in seconds; what is
    left over is none of these.  Where a step is one CUDA graph, `step` is all of it.
    precision, layout: in which the network ran.  is_compiled: whether by torch.compile.
    images_per_second, step_seconds: of training steps.  mfu: model FLOPs utilisation of the training steps, their
    floating point operations a second as a share of `ceiling_flops`, the most that was measured on this device
    (trainer.work, trainer.ceiling); None where a module could not be counted.
    peak_memory_bytes: on CUDA of the tensors on the device, on the CPU by how much the process grew; None where
    the system does not say.  predicted_memory_bytes: what the caller expected.
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
    predicted_memory_bytes: int | None = None
    precision: str | None = None
    layout: str | None = None
    is_compiled: bool = False
    accumulate: int = 1
    step_seconds: float | None = None
    mfu: float | None = None
    ceiling_flops: float | None = None
    parts: dict[str, float] = field(default_factory=dict)
    best_weights: "Weights | None" = field(default=None, compare=False, repr=False)
    last_weights: "Weights | None" = field(default=None, compare=False, repr=False)

    @classmethod
    def failed(
        cls,
        kind: str,
        reason: str,
        *,
        recipe: Recipe,
        device: str,
        seconds: float,
        peak_memory_bytes: int | None = None,
        predicted_memory_bytes: int | None = None,
        parts: Mapping[str, float] | None = None,
    ) -> "Report":
        """Return the report of a network that failed before its first epoch, so that it has no scores and no weights.

        The version of torch and the number of threads are those of this process.
        """
        return cls(
            outcome="failed",
            kind=kind,
            reason=reason,
            epochs=0,
            best_epoch=None,
            valid_accuracy=None,
            valid_loss=None,
            exits=(),
            curve=(),
            seconds=seconds,
            images_per_second=None,
            recipe=recipe.to_dict(),
            device=device,
            seed=recipe.seed,
            peak_memory_bytes=peak_memory_bytes,
            predicted_memory_bytes=predicted_memory_bytes,
            parts=dict(parts or {}),
            **torch_facts(),
        )

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


def torch_facts() -> dict[str, Any]:
    """Return torch's version and the threads of this process, as fields of a report."""
    import torch

    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in _WEIGHTS]


def _plain(value: Any) -> dict[str, Any]:
    return {name: finite(getattr(value, name)) for name in _names(type(value))}


def _values(kind: type, plain: Any) -> dict[str, Any]:
    if not isinstance(plain, Mapping):
        raise ReportError(f"a {kind.__name__.lower()} must be a mapping, not {type(plain).__name__}")
    names = _names(kind)
    optional = {
        one.name for one in fields(kind) if one.default_factory is not MISSING or one.default is not MISSING
    }
    wrong = sorted(set(names).symmetric_difference(plain) - (optional - set(plain)), key=str)
    if wrong:
        state = "lacks" if wrong[0] in names else "has an unknown"
        raise ReportError(
            f"the {kind.__name__.lower()} {state} {wrong[0]!r}; it must have {', '.join(names)}"
        )
    return dict(plain)


def finite(value: Any) -> Any:
    """The value, or None for a float that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
