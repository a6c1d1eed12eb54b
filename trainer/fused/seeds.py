"""fit_seeds: train one architecture from several seeds, as one network where that pays."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from trainer.budget import Budget
from trainer.data.data import Data
from trainer.fused.rehearsal import Rehearsal
from trainer.fused.training import Together, reader
from trainer.hardware.cache import machine, recall, remember
from trainer.hardware.devices import device_of
from trainer.hardware.meter import Meter
from trainer.hardware.modes import seeded
from trainer.hardware.precision import Form
from trainer.hardware.warm_up import warm_up
from trainer.loop.fit_loop import fit
from trainer.loop.precision_probe import LEAST_STEPS, chosen
from trainer.recipe import Recipe
from trainer.report import Report

GAIN = 1.05  # times as fast as one after another; less is not worth another order of sums
FUSE = ("auto", "always", "never")
PLAIN = {"average": "none", "patience": None, "accumulate": 1}  # what a recipe must have for networks as one

Make = Callable[[int], nn.Module]

log = logging.getLogger("trainer")


class ApartError(Exception):
    """Why seeds are trained one after another; the message ends a sentence."""


class Task(NamedTuple):
    """What `fit_seeds` was given."""

    make: Make
    data: Data
    budget: Budget
    seeds: Sequence[int]
    recipe: Recipe
    device: torch.device


def fit_seeds(
    make: Make,
    data: Data,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    seeds: Sequence[int] = (0, 1, 2),
    *,
    recipe: Recipe = Recipe(),  # noqa: B008 - frozen
    device: str | torch.device = "cpu",
    fuse: str = "auto",
) -> tuple[Report, ...]:
    """Train one architecture from several seeds and report on each, in their order.

    make(seed): the network with that seed's start weights, the same layers for each.
    Every seed is trained as `fit(make(seed), .., recipe=replace(recipe, seed=seed))` would train it, up to rounding:
    its own order of images, augmentation, gradient norm and statistics. What dropout draws is its own, too, but not
    what it would draw alone.
    budget: its seconds are for all seeds together, and the reports' seconds add up to what was used; rungs have no
    effect.
    fuse: never trains one after another; always as one where that can be; auto as one where a few steps of either
    show it to be 1.05 times as fast or more, which is remembered for this machine. One after another all the same:
    on CUDA, where paths are drawn for each batch (`module.joins`), where the recipe asks for an average of the
    weights, patience or parts of a batch, and where anything goes wrong. The log says which, and why.

    A seed whose loss is not finite is reported as failed; the others go on. Raises DeviceError where the device is
    not there, ValueError for another `fuse`, and whatever `make` raises.
    """
    if fuse not in FUSE:
        raise ValueError(f"fuse is {fuse!r}; it must be one of {', '.join(FUSE)}")
    task = Task(make, data, budget, seeds, recipe, device_of(device))
    meter = Meter(task.device)
    try:
        with seeded(recipe.seed, task.device):
            return _as_one(task, meter, fuse)
    except ApartError as error:
        log.info("%d seeds are trained one after another: %s", len(seeds), error)
    return _one_after_another(task, meter.seconds)


def _as_one(task: Task, meter: Meter, fuse: str) -> tuple[Report, ...]:
    """Raises ApartError where the seeds are to be trained one after another, whatever the reason."""
    _check(task, fuse)
    try:
        warm_up(task.device)
        with meter:
            form = _rehearsed(task, fuse)
            modules = [task.make(seed) for seed in task.seeds]
            together = Together(modules, task.seeds, task.data, task.recipe, form, task.budget, meter)
        together.run()
    except ApartError:
        raise
    except Exception as error:
        raise ApartError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    return together.reports()


def _check(task: Task, fuse: str) -> None:
    """What can be known without the network."""
    recipe = task.recipe
    if fuse == "never":
        raise ApartError("fuse is never")
    if len(task.seeds) < 2:
        raise ApartError("there is only one")
    if task.device.type != "cpu":
        raise ApartError("on CUDA each step is one graph already")
    for name, value in PLAIN.items():
        if getattr(recipe, name) != value:
            raise ApartError(f"the recipe has {name} {getattr(recipe, name)}")


def _rehearsed(task: Task, fuse: str) -> Form:
    """The form to train in, once a rehearsal has shown that it can be done as one and pays. Raises ApartError."""
    data, recipe, device = task.data, task.recipe, task.device
    alone = task.make(task.seeds[-1])
    if getattr(alone, "joins", None):
        raise ApartError("it draws paths for each batch")
    steps = recipe.epochs * -(-len(data.train) // recipe.batch)
    if fuse == "auto" and steps < LEAST_STEPS:
        raise ApartError(f"{steps} steps are over before a rehearsal has paid")
    limit = task.budget.limit()
    form = chosen(alone, data, recipe, device, steps, None if limit is None else limit[0])
    fact = _fact(task, alone, form)
    known = recall(fact)
    if fuse == "auto" and known is not None and known < GAIN:
        raise ApartError(f"as one they were {known:.2f} times as fast before")
    rehearsal = Rehearsal([task.make(seed) for seed in task.seeds], alone, recipe, form, len(data.classes))
    recipes = [replace(recipe, seed=seed) for seed in task.seeds]
    batches = [next(reader(data, own, form).epoch(0)) for own in recipes]
    rehearsal.compare(batches)
    if fuse == "auto" and known is None:
        known = rehearsal.gain(batches)
        remember(fact, known)
        if known < GAIN:
            raise ApartError(f"as one they are {known:.2f} times as fast")
    log.info(
        "%d seeds are trained as one network%s",
        len(task.seeds),
        f", {known:.2f} times as fast" if known else "",
    )
    return form


def _fact(task: Task, module: nn.Module, form: Form) -> str:
    """The name under which the gain is remembered: all that it depends on."""
    shapes = [(name, *parameter.shape) for name, parameter in module.named_parameters()]
    text = repr((repr(module), shapes, task.data.input, task.recipe.batch, form, len(task.seeds)))
    return f"seeds {machine(task.device)} {hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _one_after_another(task: Task, spent_seconds: float) -> tuple[Report, ...]:
    """A `fit` of each, in an equal share of what is left of the budget; what was spent before is charged to all."""
    reports: list[Report] = []
    for left, seed in zip(range(len(task.seeds), 0, -1), task.seeds, strict=True):
        meter = Meter(task.device, spent_seconds / len(task.seeds))
        with meter:
            module = task.make(seed)
        budget = _share(task.budget, sum(report.seconds for report in reports), left)
        recipe = replace(task.recipe, seed=seed)
        reports.append(
            fit(module, task.data, budget, recipe=recipe, device=task.device, started_seconds=meter.seconds)
        )
    return tuple(reports)


def _share(budget: Budget, used_seconds: float, left: int) -> Budget:
    limit = budget.limit()
    if limit is None:
        return budget
    return replace(budget, device_time=None, per_trial=max((limit[0] - used_seconds) / left, 1e-3))
