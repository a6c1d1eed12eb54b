"""The state of a training as plain values and tensors, which its checkpoint holds."""

import logging
from typing import Any

import torch
from torch import nn

from trainer.loop.context import TrainContext
from trainer.loop.progress import Progress
from trainer.loop.step import Step

log = logging.getLogger("trainer")


def with_current_names(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Return the state of a checkpoint with the names that the module's tensors have today.

    A module whose tensors had other names in an earlier version has a method `current_names(names)`, which returns
    the present name of each; its `load_state_dict` takes both.
    """
    current_names = getattr(module, "current_names", None)
    if current_names is None:
        return state
    names, progress = current_names(state["network"]), state["progress"]
    best = progress["best"] and {**progress["best"], "weights": _renamed(progress["best"]["weights"], names)}
    return {
        **state,
        "network": _renamed(state["network"], names),
        "progress": {**progress, "best": best},
    }


def _renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names[name]: value for name, value in values.items()}


def identity(module: nn.Module, recipe: dict[str, Any], data_digest: str) -> dict[str, Any]:
    """Return what a training must have in common with a checkpoint that it resumes."""
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    return {"network": shapes, "recipe": recipe, "data": data_digest}


def save_state(
    module: nn.Module, step: Step, progress: Progress, context: TrainContext, constant: dict[str, Any]
) -> None:
    """Write the checkpoint, with the `constant` values of this training; a full disk is only logged."""
    checkpoint = context.checkpoint
    assert checkpoint is not None
    try:
        checkpoint.save({**constant, **_state(module, step, progress, context)})
    except (OSError, MemoryError, RuntimeError) as error:  # the training itself is unaffected
        log.warning("%s is not written: %s", checkpoint.path, " ".join(str(error).split())[:200])
    context.parts.begin()  # the seconds of writing belong to no part


def _state(module: nn.Module, step: Step, progress: Progress, context: TrainContext) -> dict[str, Any]:
    """Return weights, momenta, averaged weights, random state, progress and clocks."""
    device = context.device
    return {
        "module": module.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "average": step.average.state(),
        "accumulate": step.accumulate,
        "taken": step.taken,
        "chance": torch.default_generator.get_state(),
        "cuda_chance": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "progress": progress.state(),
        "seconds": context.meter.seconds,
        "parts": dict(context.parts.seconds),
    }


def restore(state: dict[str, Any], module: nn.Module, step: Step, context: TrainContext) -> Progress:
    """Load a checkpoint's state into module, step and clocks, and return its progress."""
    device = context.device
    module.load_state_dict(state["module"])
    step.load_optimizer(state["optimizer"])
    step.average.restore(state["average"])
    step.accumulate, step.taken = state["accumulate"], state["taken"]
    torch.default_generator.set_state(state["chance"])
    if state["cuda_chance"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_chance"], device)
    context.meter.add(state["seconds"])
    context.parts.seconds.update(state["parts"])
    return Progress.restored(state["progress"], device)
