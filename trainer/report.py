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

# Scores by which an epoch may be the best. A row and a report have each as valid_NAME.
GOALS = ("accuracy", "balanced_accuracy", "macro_f1", "auc")
OUTCOMES = ("done", "pruned", "cut", "interrupted", "failed")
_WEIGHTS = ("best_weights", "last_weights")


class ReportError(ValueError):
    """Text or values that are not a report; the message is one sentence."""


@dataclass(frozen=True)
class Row:
    """One line of the learning curve; None stands for a number that is not finite."""

    epoch: int
    """Number of the epoch, counted from 1."""
    complete: bool
    """False for an epoch that the budget cut short."""
    train_loss: float | None
    """The minimised loss (all exits weighted, labels smoothed), mean over the images."""
    valid_loss: float | None
    """Mean cross-entropy of the last exit on the valid images."""
    valid_accuracy: float
    """Accuracy of the last exit on the valid images."""
    seconds: float
    """Seconds charged since the trial began."""
    images_per_second: float
    """Training speed in this epoch, without evaluation."""
    valid_balanced_accuracy: float | None = None
    """Mean over the classes of the share of their valid images that are classified correctly."""
    valid_macro_f1: float | None = None
    """Mean over the classes of the F1 score on the valid images."""
    valid_auc: float | None = None
    """Mean over the classes of the area under the ROC curve on the valid images."""
    learning_rate: float | None = None
    """That of the last step of the epoch; None in rows of earlier versions."""
    began_at: float | None = None
    """Unix seconds when the first step of the epoch began, in a resumed epoch the first since; None in rows of earlier
    versions, as of the next two."""
    trained_at: float | None = None
    """Unix seconds when its last step had ended."""
    ended_at: float | None = None
    """Unix seconds when its evaluation had ended."""

    def to_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True)
class Report:
    """What a trial reached, how it ended and what it cost."""

    outcome: str
    """done, pruned, cut (by the budget), interrupted or failed."""
    kind: str | None
    """Why a trial was cut or failed: not-finite, out-of-memory, batch-too-small, timeout, device or error."""
    reason: str
    """The outcome in one sentence."""
    epochs: int
    """Complete epochs."""
    best_epoch: int | None
    """Epoch of the best evaluation (highest accuracy, or other goal, then lowest loss); None before the first."""
    valid_accuracy: float | None
    """Accuracy of the last exit in the best evaluation."""
    valid_loss: float | None
    """Loss of the last exit in the best evaluation."""
    exits: tuple[float, ...]
    """Accuracy of every exit in the best evaluation."""
    curve: tuple[Row, ...]
    """The learning curve, a row per epoch."""
    seconds: float
    """Seconds charged for building, training and evaluation."""
    images_per_second: float | None
    """Speed of the training steps."""
    recipe: dict[str, Any]
    """The recipe, as plain values."""
    device: str
    """Name of the device."""
    torch: str
    """Version of torch."""
    threads: int
    """CPU threads of the process."""
    seed: int
    """Seed of the recipe."""
    peak_memory_bytes: int | None
    """Peak of the tensors on a CUDA device, or growth of the process on the CPU; None if not reported."""
    predicted_memory_bytes: int | None = None
    """Peak that the caller predicted."""
    precision: str | None = None
    """fp32 or bf16."""
    layout: str | None = None
    """contiguous or channels_last."""
    is_compiled: bool = False
    """Whether the network ran by torch.compile."""
    accumulate: int = 1
    """Parts of a batch per step at the end of the training."""
    step_seconds: float | None = None
    """Mean seconds of a training step."""
    mfu: float | None = None
    """Model FLOPs utilisation: FLOP/s of the training steps as a share of `ceiling_flops`; None if not countable."""
    ceiling_flops: float | None = None
    """Highest FLOP/s measured on this device."""
    parts: dict[str, float] = field(default_factory=dict)
    """Seconds by part of the training; a step that is one CUDA graph counts as `step`."""
    valid_balanced_accuracy: float | None = None
    """Mean over the classes of the share of their images that are classified correctly, in the best evaluation."""
    valid_macro_f1: float | None = None
    """Mean over the classes of the F1 score in the best evaluation."""
    valid_auc: float | None = None
    """Mean over the classes of the area under the ROC curve in the best evaluation."""
    by_class: dict[str, list[Any]] = field(default_factory=dict)
    """For each class in the best evaluation: its `images`, those `predicted` as it, the `right` ones, and its `auc`."""
    confusion: list[list[int]] | None = None
    """Valid images by class (rows) and predicted class (columns) in the best evaluation; None for many classes."""
    folds: list[dict[str, float | None]] = field(default_factory=list)
    """With K folds, the scores of each in its best evaluation; those of the report are their means, and the weights are
    those of the first fold."""
    best_weights: "Weights | None" = field(default=None, compare=False, repr=False)
    """State dict of the best evaluation, on the CPU; not in JSON."""
    last_weights: "Weights | None" = field(default=None, compare=False, repr=False)
    """State dict of the last step, on the CPU; not in JSON."""

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
        """Return plain values for JSON, without the weights; numbers that are not finite become None."""
        plain = _plain(self)
        plain["exits"] = list(self.exits)
        plain["curve"] = [row.to_dict() for row in self.curve]
        return plain

    def to_json(self) -> str:
        """Return the report as strict JSON text, without the weights."""
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
    """Return the value, or None for a float that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
