"""fit: train one module on data inside a budget."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from trainer.budget import Budget
from trainer.data import Data
from trainer.devices import device_of
from trainer.meter import Meter
from trainer.modes import mode_kept, seeded
from trainer.outcome import DONE, Outcome, of_error
from trainer.recipe import Recipe
from trainer.report import Report, Row
from trainer.training import Training, peak_bytes
from trainer.warm import warm_up
from trainer.weights import copy_weights

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
) -> Report:
    """Train a module by the recipe until it is done, pruned, out of budget or broken, and report.

    module: forward takes float32 (B, C, H, W) and gives logits (B, classes), or a tuple of them, one an exit;
    the loss is their sum weighted by `module.exit_weights` (1 each by default), what is reported is of the
    last. It is moved to the device and ends with its last weights, in the mode it came in.
    on_rung(epoch, {valid_accuracy, valid_loss, seconds}): asked after the epochs in budget.rungs; True prunes
    on_epoch(row): told after every epoch. Time in the two is not charged, and what they raise passes through.
    started_seconds: charged before, for instance for building the module; they count towards the limits.

    Whatever goes wrong in the module or on the device is an outcome of the report; only KeyboardInterrupt and
    its like pass. On the CPU, equal module, data, recipe and threads give equal weights bit for bit, and the
    global random state is left as it was. Raises DeviceError where the device is not there.
    """
    place = device_of(device)
    meter = Meter(place, started_seconds)
    with _on(place), seeded(recipe.seed, place), mode_kept(module):
        _guarded(lambda: warm_up(place))
        training, ending = _guarded(lambda: Training(module, data, recipe, budget, place, meter))
        while training is not None and ending is None:
            row, ending = _guarded(training.epoch)
            if ending is None:
                ending = _ending(training, row)
            if row is not None:
                _tell(row, on_epoch)
                ending = _ask(row, budget, on_rung, ending)
        report = _report(module, training, ending or DONE, recipe, place, meter)
        del training
        _release(module, place)
    return report


def _guarded(call: Callable[[], T]) -> tuple[T | None, Outcome | None]:
    """The call's value, or the outcome that its exception stands for."""
    try:
        return call(), None
    except Exception as error:
        # Only words leave this block: the exception's frames hold the tensors that filled the device.
        return None, of_error(error)


def _ending(training: Training, row: Row | None) -> Outcome | None:
    if row is None or not row.complete:
        return Outcome("cut", "timeout", training.why_cut())
    return DONE if training.is_done else None


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
    place: torch.device,
    meter: Meter,
) -> Report:
    best = training.best if training else None
    seconds = training.train_seconds if training else 0.0
    # Weights that broke are of no use to anyone, and a device that broke cannot give them.
    last = copy_weights(module) if training and ending.outcome != "failed" else None
    return Report(
        outcome=ending.outcome,
        kind=ending.kind,
        reason=ending.reason,
        epochs=training.epochs if training else 0,
        best_epoch=best.epoch if best else None,
        valid_accuracy=best.scores.accuracy if best else None,
        valid_loss=best.scores.loss if best else None,
        exits=best.scores.exits if best else (),
        curve=tuple(training.curve) if training else (),
        seconds=meter.seconds,
        images_per_second=training.images / seconds if training and seconds > 0 else None,
        recipe=recipe.to_dict(),
        device=_name(place),
        torch=str(torch.__version__),
        threads=torch.get_num_threads(),
        seed=recipe.seed,
        peak_memory_bytes=None if ending.kind == "device" else peak_bytes(place),
        best_weights=best.weights if best else None,
        last_weights=last,
    )


@contextmanager
def _on(place: torch.device) -> Iterator[None]:
    """Make a CUDA device the current one and start its peak anew."""
    if place.type != "cuda":
        yield
        return
    with torch.cuda.device(place):
        torch.cuda.reset_peak_memory_stats(place)
        yield


def _release(module: nn.Module, place: torch.device) -> None:
    """Give back what only training needed, and the layout that only training wanted."""
    module.zero_grad(set_to_none=True)
    _guarded(lambda: module.to(memory_format=torch.contiguous_format))
    if place.type == "cuda":
        gc.collect()
        _guarded(torch.cuda.empty_cache)


def _name(place: torch.device) -> str:
    return torch.cuda.get_device_name(place) if place.type == "cuda" else place.type
