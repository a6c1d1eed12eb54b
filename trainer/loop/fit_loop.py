"""fit: train one module on data inside a budget."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from trainer.budget import Budget
from trainer.data.balance import check_balance
from trainer.data.data import Data
from trainer.hardware.devices import device_of
from trainer.hardware.flops import work
from trainer.hardware.meter import Meter
from trainer.hardware.modes import gradients_kept, mode_kept, seeded
from trainer.hardware.peak_flops import Precision, device_peak_flops
from trainer.hardware.peak_memory import Peak
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import TimeByPart
from trainer.hardware.warm_up import warm_up
from trainer.loop.best_weights import check_goal, copy_weights
from trainer.loop.checkpoint import Checkpoint, CheckpointError
from trainer.loop.context import TrainContext
from trainer.loop.training import Training
from trainer.outcome import Outcome, of_error, with_memory
from trainer.recipe import Recipe
from trainer.report import GOALS, Report, Row, torch_facts

OnRung = Callable[[int, Mapping[str, float]], bool]
OnEpoch = Callable[[Row], object]
T = TypeVar("T")


def fit(
    module: nn.Module,
    data: Data,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    on_rung: OnRung | None = None,
    *,
    recipe: Recipe = Recipe(),  # noqa: B008 - frozen
    device: str | torch.device = "cpu",
    on_epoch: OnEpoch | None = None,
    started_seconds: float = 0.0,
    predicted_bytes: int | None = None,
    checkpoint: Checkpoint | None = None,
    stop_asked: Callable[[], bool] = lambda: False,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    goal: str = "accuracy",
) -> Report:
    """Train a module by the recipe until it is done, pruned, out of budget, stopped or failed, and report.

    module: forward takes images (B, C, H, W), float32 or bfloat16, and returns logits (B, classes), or a tuple of
    them, one per exit. Their softmax are the probabilities, or their sigmoid where images have several labels. The loss
    is the sum over the exits weighted by `module.exit_weights` (1 each by default), the scores are those of the last
    exit. The module is moved to the device and ends with its last weights, in its original mode.
    A recipe with `freeze` needs `module.early_heads`: the names of the submodules that only earlier exits need.
    on_rung(epoch, {valid_accuracy, valid_loss, .., seconds}): called after the epochs in budget.rungs; True prunes.
    on_epoch(row): called after every epoch. The seconds of both callbacks are not charged; their exceptions propagate.
    started_seconds: seconds already charged, for building the module; they count towards the limits.
    predicted_bytes: predicted peak memory, for the report.
    checkpoint: a file that is written every few seconds. If it exists, training resumes from it; on the CPU the result
    equals that of an uninterrupted training bit for bit. It is not deleted at the end.
    stop_asked: polled before every step; once it returns True the outcome is interrupted.
    ranks: this process among several that train the same network together (trainer.Ranks).
    goal: the score by which an epoch is the best: accuracy, balanced_accuracy, macro_f1 or auc.

    When the device runs out of memory, the step is repeated with its batch in two halves, gradients added, and so are
    all later steps. Any other exception of the module or the device becomes an outcome of the report; only
    KeyboardInterrupt and the like propagate. On the CPU, equal module, data, recipe, threads and form (precision and
    layout) give equal weights bit for bit, and the global random state is restored.
    Raises DeviceError for an absent device, CheckpointError for a checkpoint of another training, DataError for a
    recipe that does not suit the labels.
    """
    check_goal(goal, data)
    check_balance(recipe, data)
    place = device_of(device)
    meter = Meter(place, started_seconds)
    parts = TimeByPart(place)
    parts.seconds["build"] = started_seconds
    context = TrainContext(place, meter, parts, Peak(place), budget, ranks, checkpoint, stop_asked, goal)
    with _on(place), seeded(recipe.seed, place), mode_kept(module), gradients_kept(module):
        _guarded(lambda: warm_up(place))
        training, ending = _guarded(lambda: Training(module, data, recipe, context))
        if training is not None and training.is_done:  # the checkpoint is of a finished training
            ending = _done(training, recipe)
        while training is not None and ending is None:
            row, ending = _guarded(training.epoch)
            if ending is None:
                ending = _ending(training, row, recipe)
            if row is not None:
                if on_epoch is not None:
                    on_epoch(row)
                ending = _ask(row, budget, on_rung, ending)
        if training is not None and ending is not None and ending.outcome in ("done", "interrupted"):
            training.save()
        assert ending is not None
        report = _report(module, training, ending, recipe, context, predicted_bytes)
        del training
        _release(module, place)
    return report


def _guarded(call: Callable[[], T]) -> tuple[T | None, Outcome | None]:
    """Return the value of the call, or the outcome of its exception."""
    try:
        return call(), None
    except CheckpointError:
        raise
    except Exception as error:
        # Only text leaves this block: the exception's frames hold the tensors that filled the device.
        return None, of_error(error)


def _ending(training: Training, row: Row | None, recipe: Recipe) -> Outcome | None:
    if training.is_stopped:
        epochs = training.progress.epochs
        return Outcome("interrupted", None, f"stopped by hand after {epochs} complete epochs")
    if row is None or not row.complete:
        return Outcome("cut", "timeout", training.why_cut())
    return _done(training, recipe) if training.is_done else None


def _done(training: Training, recipe: Recipe) -> Outcome:
    epochs = training.progress.epochs
    if epochs == recipe.epochs:
        return Outcome("done", None, "all epochs were trained")
    return Outcome("done", None, f"{recipe.patience} epochs brought nothing better, after {epochs} epochs")


def _ask(row: Row, budget: Budget, on_rung: OnRung | None, ending: Outcome | None) -> Outcome | None:
    """Call `on_rung` at a rung. It is called for a finished trial too, which it cannot prune any more."""
    if on_rung is None or not row.complete or row.epoch not in budget.rungs or row.valid_loss is None:
        return ending
    numbers = {
        **{f"valid_{name}": getattr(row, f"valid_{name}") or 0.0 for name in GOALS},
        "valid_loss": row.valid_loss,
        "seconds": row.seconds,
    }
    if on_rung(row.epoch, numbers) and ending is None:
        return Outcome("pruned", None, f"pruned at the rung of epoch {row.epoch}")
    return ending


def _report(
    module: nn.Module,
    training: Training | None,
    ending: Outcome,
    recipe: Recipe,
    context: TrainContext,
    predicted_bytes: int | None,
) -> Report:
    peak = None if ending.kind == "device" else context.peak.bytes
    reason = (
        with_memory(ending.reason, peak, predicted_bytes) if ending.kind == "out-of-memory" else ending.reason
    )
    measured: dict[str, Any] = {
        "device": _name(context.device),
        "seconds": context.meter.seconds,
        "peak_memory_bytes": peak,
        "predicted_memory_bytes": predicted_bytes,
        "parts": {part: round(seconds, 6) for part, seconds in context.parts.seconds.items()},
    }
    if training is None:
        return Report.failed(ending.kind or "error", reason, recipe=recipe, **measured)
    progress, best = training.progress, training.progress.best
    return Report(
        outcome=ending.outcome,
        kind=ending.kind,
        reason=reason,
        epochs=progress.epochs,
        best_epoch=best.epoch if best else None,
        valid_loss=best.scores.loss if best else None,
        exits=best.scores.exits if best else (),
        by_class=best.scores.by_class if best else {},
        confusion=best.scores.confusion if best else None,
        curve=tuple(progress.curve),
        recipe=recipe.to_dict(),
        seed=recipe.seed,
        best_weights=best.weights if best else None,
        # Weights that are not finite are of no use, and a broken device cannot give them.
        last_weights=copy_weights(module) if ending.outcome != "failed" else None,
        **(best.scores.as_valid() if best else {"valid_accuracy": None}),
        **measured,
        **torch_facts(),
        **_speed(module, training, ending, context),
    )


def _speed(module: nn.Module, training: Training, ending: Outcome, context: TrainContext) -> dict[str, Any]:
    """Return how the network ran and how fast its training steps were, as fields of the report."""
    progress, form = training.progress, training.form
    speed: dict[str, Any] = {
        "images_per_second": None,
        "precision": form.precision,
        "layout": form.layout,
        "is_compiled": training.is_compiled,
        "accumulate": training.accumulate,
    }
    if progress.steps == 0 or ending.kind == "device":
        return speed
    speed["images_per_second"] = progress.all_images / progress.all_seconds
    speed["step_seconds"] = progress.all_seconds / progress.steps
    return {**speed, **_utilisation(module, training, context.device)}


def _utilisation(module: nn.Module, training: Training, device: torch.device) -> dict[str, float]:
    """Return the model FLOPs utilisation of the steps; nothing if the module cannot be counted."""
    progress = training.progress
    counted, _ = _guarded(lambda: work(module, training.input))
    precision: Precision = "bf16" if training.form.precision == "bf16" else "fp32"
    peak, _ = _guarded(lambda: device_peak_flops(device, precision))
    if counted is None or peak is None:
        return {}
    flops = counted.train_flops(progress.all_images) / progress.all_seconds
    return {"mfu": flops / peak, "ceiling_flops": peak}


@contextmanager
def _on(place: torch.device) -> Iterator[None]:
    """Make a CUDA device the current one, with its own stream: the default stream cannot be captured."""
    if place.type != "cuda":
        yield
        return
    with torch.cuda.device(place):
        torch.cuda.synchronize(place)
        with torch.cuda.stream(torch.cuda.Stream(place)):  # type: ignore[no-untyped-call]
            yield
        torch.cuda.synchronize(place)


def _release(module: nn.Module, place: torch.device) -> None:
    """Free the memory that only training needs, and restore the contiguous layout."""
    module.zero_grad(set_to_none=True)
    _guarded(lambda: module.to(memory_format=torch.contiguous_format))
    if place.type == "cuda":
        gc.collect()
        _guarded(torch.cuda.empty_cache)


def _name(place: torch.device) -> str:
    return torch.cuda.get_device_name(place) if place.type == "cuda" else place.type
