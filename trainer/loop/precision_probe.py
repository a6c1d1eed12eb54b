"""Probe: a few steps in each form that a network may run in, to find the fastest on this device."""

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
from trainer.hardware.precision import Form, has_bf16, usual
from trainer.loop import exits
from trainer.recipe import Recipe

ROUNDS = 2  # timed steps of each form, in turn
LEAST_STEPS = 100  # a training of fewer is over before a probe has paid
# How many times as fast as the usual form another must be: times vary, and bf16 rounds
GAIN = {"fp32": 1.04, "bf16": 1.15}

Run = Callable[[], object]


def chosen(
    module: nn.Module,
    data: Data,
    recipe: Recipe,
    device: torch.device,
    steps: int,
    seconds: float | None = None,
) -> Form:
    """The form in which a training of so many steps, in so many seconds at most, is fastest; found once by a probe.

    What the recipe says is kept. It is remembered for this network, batch and machine, so that the same training comes
    out the same again. The module, which must be on the device, ends in that form and is otherwise as it was.
    """
    wanted = usual(module, device, recipe.precision, recipe.layout)
    found = _found(module, data, recipe, device, wanted, seconds) if steps >= LEAST_STEPS else wanted
    found.lay_out(module)
    return found


def _found(
    module: nn.Module, data: Data, recipe: Recipe, device: torch.device, wanted: Form, seconds: float | None
) -> Form:
    forms = _forms(wanted, recipe, device)
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


def _forms(wanted: Form, recipe: Recipe, device: torch.device) -> list[Form]:
    """What may be chosen, the usual form first. bf16 in contiguous layout is left out: its kernels are slow."""
    layouts = ["contiguous", "channels_last"] if recipe.layout == "auto" else [recipe.layout]
    precisions = ["fp32", "bf16"] if recipe.precision == "auto" and has_bf16(device) else [wanted.precision]
    forms = [Form(precision, layout) for precision in precisions for layout in layouts]
    return [wanted, *(form for form in forms if form not in (wanted, Form("bf16", "contiguous")))]


def _run(module: nn.Module, data: Data, recipe: Recipe, device: torch.device, form: Form) -> Run:
    """A step without its update, on the first images, in a form."""
    count = -(-min(recipe.batch, len(data.train)) // recipe.accumulate)
    x, y = data.train.x[:count].to(device), data.train.y[:count].to(device)
    batch = Batch(Normalise(data, device, form)(x), y)

    def run() -> None:
        form.lay_out(module)
        module.zero_grad(set_to_none=True)
        with seeded(0, device), form.autocast(device):  # the same paths and dropouts in every form
            logits = exits.forward(module, batch.x, len(data.classes))
        loss = exits.loss(logits, batch, exits.weights(module, len(logits)), recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]

    return run


def _timed(runs: dict[Form, Run], device: torch.device, seconds: float | None) -> dict[Form, float]:
    """Seconds of the faster of two steps in each form that runs at all.

    Nothing where the training has no time for so many steps that it would pay.
    """
    works: dict[Form, Run] = {}
    for form, run in runs.items():
        begun = time.perf_counter()
        if _succeeds(run, device):
            works[form] = run
        if seconds is not None and (time.perf_counter() - begun) * LEAST_STEPS > seconds:
            return {}
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for form, run in works.items():
            best[form] = min(best[form], _seconds(run, device))
    return best


def _best(timed: dict[Form, float], wanted: Form) -> Form:
    """The fastest form, each held back by the gain that it must bring; the usual one where nothing was timed."""

    def cost(form: Form) -> float:
        return timed[form] * (1.0 if form == wanted else GAIN[form.precision])

    return min(timed, key=cost, default=wanted)


def _succeeds(run: Run, device: torch.device) -> bool:
    """Whether a step runs; one that does not is for the training to report, or to do without that form."""
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
    """What the time of a step depends on: the network's layers and shapes, the image, the batch, what may be chosen."""
    shapes = [(name, *parameter.shape) for name, parameter in module.named_parameters()]
    asked = (recipe.batch, recipe.accumulate, recipe.precision, recipe.layout)
    text = repr((repr(module), shapes, data.input, len(data.classes), asked))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
