"""Probe: a few steps in each precision and layout, to find the fastest for a network on this device."""

import hashlib
import time
from collections.abc import Callable

import torch
from torch import nn

from trainer.data.batches import Batch, Normalise
from trainer.data.data import Data
from trainer.hardware.cache import machine, recall, remember
from trainer.hardware.meter import synchronize
from trainer.hardware.modes import seeded, unchanged
from trainer.hardware.precision import Form, has_bf16, layouts, usual
from trainer.loop.loss import exit_loss, exit_weights, exits
from trainer.recipe import Recipe

ROUNDS = 2  # timed steps of each form, in rotation
MIN_STEPS = 100  # a shorter training does not repay a probe
# Least speed-up over the usual form that another must show: times vary, and bf16 rounds
GAIN = {"fp32": 1.04, "bf16": 1.15}

Run = Callable[[], object]


def fastest_form(
    module: nn.Module,
    data: Data,
    recipe: Recipe,
    device: torch.device,
    steps: int,
    seconds: float | None = None,
) -> Form:
    """Return the fastest form for a training of so many steps and at most so many seconds, found by a probe.

    A precision or layout in the recipe is used as it is if it can be (`trainer.hardware.precision.layouts`). The result
    is cached for this network, batch and machine, so that the same training has the same form again. The module, which
    must be on the device, is laid out in that form and otherwise unchanged.
    """
    wanted = usual(module, device, recipe.precision, recipe.layout)
    form = _probed(module, data, recipe, device, wanted, seconds) if steps >= MIN_STEPS else wanted
    form.lay_out(module)
    return form


def _probed(
    module: nn.Module, data: Data, recipe: Recipe, device: torch.device, wanted: Form, seconds: float | None
) -> Form:
    forms = _forms(wanted, recipe, module, device)
    key = f"form {machine(device)} {_signature(module, data, recipe)}"
    known = recall(key)
    if known is not None and Form(*known) in forms:
        return Form(*known)
    if len(forms) == 1:
        return wanted
    with unchanged(module):
        runs = {form: _run(module, data, recipe, device, form) for form in forms}
        timed = _timed(runs, device, seconds)
    if timed:
        remember(key, list(_best(timed, wanted)))
    return _best(timed, wanted)


def _forms(wanted: Form, recipe: Recipe, module: nn.Module, device: torch.device) -> list[Form]:
    """Return the candidates, the usual form first. bf16 in contiguous layout is left out: its kernels are slow."""
    tried = layouts(module, device) if recipe.layout == "auto" else (wanted.layout,)
    precisions = ["fp32", "bf16"] if recipe.precision == "auto" and has_bf16(device) else [wanted.precision]
    forms = [Form(precision, layout) for precision in precisions for layout in tried]
    return [wanted, *(form for form in forms if form not in (wanted, Form("bf16", "contiguous")))]


def _run(module: nn.Module, data: Data, recipe: Recipe, device: torch.device, form: Form) -> Run:
    """Return a function that does a step without its update, on the first images, in a form."""
    count = -(-min(recipe.batch, len(data.train)) // recipe.accumulate)
    x, y = data.train.x[:count].to(device), data.train.y[:count].to(device)
    batch = Batch(Normalise(data, device, form)(x), y)

    def run() -> None:
        form.lay_out(module)
        module.zero_grad(set_to_none=True)
        with seeded(0, device), form.autocast(device):  # the same drop-path and dropout in every form
            logits = exits(module, batch.x, len(data.classes))
        weights = exit_weights(module, len(logits))
        loss = exit_loss(logits, batch, weights, recipe.label_smoothing, recipe.distil)
        loss.backward()  # type: ignore[no-untyped-call]

    return run


def _timed(runs: dict[Form, Run], device: torch.device, seconds: float | None) -> dict[Form, float]:
    """Return the seconds of the faster of two steps in each form that runs at all.

    Returns nothing if the training has too little time for the probe to pay.
    """
    works: dict[Form, Run] = {}
    for form, run in runs.items():
        start = time.perf_counter()
        if _succeeds(run, device):
            works[form] = run
        if seconds is not None and (time.perf_counter() - start) * MIN_STEPS > seconds:
            return {}
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for form, run in works.items():
            best[form] = min(best[form], _seconds(run, device))
    return best


def _best(timed: dict[Form, float], wanted: Form) -> Form:
    """Return the fastest form, the others slowed by the gain they must show; the usual form if none was timed."""

    def cost(form: Form) -> float:
        return timed[form] * (1.0 if form == wanted else GAIN[form.precision])

    return min(timed, key=cost, default=wanted)


def _succeeds(run: Run, device: torch.device) -> bool:
    """Whether a step runs in a form; the training itself reports an error of the usual form."""
    try:
        run()
        synchronize(device)
    except Exception:
        return False
    return True


def _seconds(run: Run, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


def _signature(module: nn.Module, data: Data, recipe: Recipe) -> str:
    """Return a hash of what the time of a step depends on: layers, shapes, image, batch and the recipe's choices."""
    shapes = [(name, *parameter.shape) for name, parameter in module.named_parameters()]
    asked = (recipe.batch, recipe.accumulate, recipe.precision, recipe.layout)
    text = repr((repr(module), shapes, data.input, len(data.classes), asked))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
