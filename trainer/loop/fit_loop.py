"""fit: train one module on data inside a budget."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from trainer.budget import Budget
from trainer.data.data import Data
from trainer.hardware.devices import device_of
from trainer.hardware.flops import work
from trainer.hardware.meter import Meter
from trainer.hardware.modes import mode_kept, seeded
from trainer.hardware.peak_flops import ceiling
from trainer.hardware.peak_memory import Peak
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import Parts
from trainer.hardware.warm_up import warm_up
from trainer.loop.best_weights import copy_weights
from trainer.loop.checkpoint import Checkpoint, CheckpointError
from trainer.loop.context import Setting
from trainer.loop.training import Training
from trainer.outcome import Outcome, of_error, with_memory
from trainer.recipe import Recipe
from trainer.report import Report, Row, torch_facts

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
) -> Report:
    """Train a module by the recipe until it is done, pruned, out of budget, stopped or broken, and report.

    module: forward takes images (B, C, H, W), float32 or bfloat16, and gives logits (B, classes), or a tuple of
    them, one an exit; the loss is their sum weighted by `module.exit_weights` (1 each by default), what is reported
    is of the last. It is moved to the device and ends with its last weights, in the mode it came in.
    on_rung(epoch, {valid_accuracy, valid_loss, seconds}): asked after the epochs in budget.rungs; True prunes
    on_epoch(row): told after every epoch. Time in the two is not charged, and what they raise passes through.
    started_seconds: charged before, for building the module; they count towards the limits.
    predicted_bytes: what the caller expects of memory, for the report.
    checkpoint: a file that is written every few seconds; where it is there, training goes on from it, on the CPU as
    if it had never stopped, to the bit. It stays when all is done.
    stop_asked: looked at before every step; once it says True the outcome is interrupted.
    ranks: this process among several that train the same network together (trainer.ranks).

    Where the device is full a step is done once more with its batch in two halves, gradients added, and so from
    then on. Whatever else goes wrong in the module or on the device is an outcome of the report; only
    KeyboardInterrupt and its like pass. On the CPU, equal module, data, recipe, threads and form (see the recipe's
    precision and layout) give equal weights bit for bit, and the global random state is left as it was.
    Raises DeviceError where the device is not there, CheckpointError for a checkpoint of something else.
    """
    place = device_of(device)
    meter = Meter(place, started_seconds)
    parts = Parts(place)
    parts.seconds["build"] = started_seconds
    setting = Setting(place, meter, parts, Peak(place), budget, ranks, checkpoint, stop_asked)
    with _on(place), seeded(recipe.seed, place), mode_kept(module):
        _guarded(lambda: warm_up(place))
        training, ending = _guarded(lambda: Training(module, data, recipe, setting))
        if training is not None and training.is_done:  # a checkpoint of what was done already
            ending = Outcome("done", None, training.why_done())
        while training is not None and ending is None:
            row, ending = _guarded(training.epoch)
            if ending is None:
                ending = _ending(training, row)
            if row is not None:
                _tell(row, on_epoch)
                ending = _ask(row, budget, on_rung, ending)
        if training is not None and ending is not None and ending.outcome in ("done", "interrupted"):
            training.keep()
        assert ending is not None
        report = _report(module, training, ending, recipe, setting, predicted_bytes)
        del training
        _release(module, place)
    return report


def _guarded(call: Callable[[], T]) -> tuple[T | None, Outcome | None]:
    """The call's value, or the outcome that its exception stands for."""
    try:
        return call(), None
    except CheckpointError:
        raise
    except Exception as error:
        # Only words leave this block: the exception's frames hold the tensors that filled the device.
        return None, of_error(error)


def _ending(training: Training, row: Row | None) -> Outcome | None:
    if training.is_stopped:
        done = training.progress.epochs
        return Outcome("interrupted", None, f"stopped by hand after {done} complete epochs")
    if row is None or not row.complete:
        return Outcome("cut", "timeout", training.why_cut())
    return Outcome("done", None, training.why_done()) if training.is_done else None


def _tell(row: Row, on_epoch: OnEpoch | None) -> None:
    if on_epoch is not None:
        on_epoch(row)


def _ask(row: Row, budget: Budget, on_rung: OnRung | None, ending: Outcome | None) -> Outcome | None:
    """Ask at a rung; a trial that is done anyway is told there too, but cannot be pruned any more."""
    if on_rung is None or not row.complete or row.epoch not in budget.rungs or row.valid_loss is None:
        return ending
    numbers = {"valid_accuracy": row.valid_accuracy, "valid_loss": row.valid_loss, "seconds": row.seconds}
    if on_rung(row.epoch, numbers) and ending is None:
        return Outcome("pruned", None, f"pruned at the rung of epoch {row.epoch}")
    return ending


def _report(
    module: nn.Module,
    training: Training | None,
    ending: Outcome,
    recipe: Recipe,
    setting: Setting,
    predicted_bytes: int | None,
) -> Report:
    peak = None if ending.kind == "device" else setting.peak.bytes
    reason = (
        with_memory(ending.reason, peak, predicted_bytes) if ending.kind == "out-of-memory" else ending.reason
    )
    measured: dict[str, Any] = {
        "device": _name(setting.device),
        "seconds": setting.meter.seconds,
        "peak_memory_bytes": peak,
        "predicted_memory_bytes": predicted_bytes,
        "parts": {part: round(seconds, 6) for part, seconds in setting.parts.seconds.items()},
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
        valid_accuracy=best.scores.accuracy if best else None,
        valid_loss=best.scores.loss if best else None,
        exits=best.scores.exits if best else (),
        curve=tuple(progress.curve),
        recipe=recipe.to_dict(),
        seed=recipe.seed,
        best_weights=best.weights if best else None,
        # Weights that are not finite are of no use, and a broken device cannot give them.
        last_weights=copy_weights(module) if ending.outcome != "failed" else None,
        **measured,
        **torch_facts(),
        **_speed(module, training, ending, setting),
    )


def _speed(module: nn.Module, training: Training, ending: Outcome, setting: Setting) -> dict[str, Any]:
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
    return {**speed, **_use(module, training, setting.device)}


def _use(module: nn.Module, training: Training, device: torch.device) -> dict[str, float]:
    """The share of the device's ceiling that the steps reached, where the module can be counted."""
    progress = training.progress
    counted, _ = _guarded(lambda: work(module, training.input))
    most, _ = _guarded(lambda: ceiling(device, "bf16" if training.form.precision == "bf16" else "fp32"))
    if counted is None or most is None:
        return {}
    flops = counted.train_flops(progress.all_images) / progress.all_seconds
    return {"mfu": flops / most, "ceiling_flops": most}


@contextmanager
def _on(place: torch.device) -> Iterator[None]:
    """Make a CUDA device the current one, with a stream of its own: the default one cannot be captured."""
    if place.type != "cuda":
        yield
        return
    with torch.cuda.device(place):
        torch.cuda.synchronize(place)
        with torch.cuda.stream(torch.cuda.Stream(place)):  # type: ignore[no-untyped-call]
            yield
        torch.cuda.synchronize(place)


def _release(module: nn.Module, place: torch.device) -> None:
    """Give back what only training needed, and the layout that only training wanted."""
    module.zero_grad(set_to_none=True)
    _guarded(lambda: module.to(memory_format=torch.contiguous_format))
    if place.type == "cuda":
        gc.collect()
        _guarded(torch.cuda.empty_cache)


def _name(place: torch.device) -> str:
    return torch.cuda.get_device_name(place) if place.type == "cuda" else place.type
