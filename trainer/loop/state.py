"""The state of a training as plain values and tensors: what its checkpoint holds."""

from typing import Any

import torch
from torch import nn

from trainer.loop.context import Setting
from trainer.loop.progress import Progress
from trainer.loop.step import Step


def gathered(module: nn.Module, step: Step, progress: Progress, setting: Setting) -> dict[str, Any]:
    """Weights, momenta, averages, chance, progress and clocks."""
    device = setting.device
    return {
        "module": module.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "average": step.average.state(),
        "accumulate": step.accumulate,
        "taken": step.taken,
        "chance": torch.default_generator.get_state(),
        "cuda_chance": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "progress": progress.state(),
        "seconds": setting.meter.seconds,
        "parts": dict(setting.parts.seconds),
    }


def restored(state: dict[str, Any], module: nn.Module, step: Step, setting: Setting) -> Progress:
    """Put everything back where it was gathered; the progress is given."""
    device = setting.device
    module.load_state_dict(state["module"])
    step.load_optimizer(state["optimizer"])
    step.average.restore(state["average"])
    step.accumulate, step.taken = state["accumulate"], state["taken"]
    torch.default_generator.set_state(state["chance"])
    if state["cuda_chance"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_chance"], device)
    setting.meter.add(state["seconds"])
    setting.parts.seconds.update(state["parts"])
    return Progress.restored(state["progress"], device)


def origin(module: nn.Module, recipe: dict[str, Any], data_digest: str) -> dict[str, Any]:
    """What must be the same for a training to go on."""
    shapes = {name: list(value.shape) for name, value in module.state_dict().items()}
    return {"network": shapes, "recipe": recipe, "data": data_digest}
