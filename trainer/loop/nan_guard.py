"""NanGuard: finds the first step whose loss or gradient is not finite, and the layer that caused it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class NanGuard:
    """Checks losses on their device. After the first bad loss the optimizer changes no weight; the host never waits."""

    def __init__(self, device: torch.device) -> None:
        self._found = torch.zeros((), device=device)  # 1 from the first bad step on
        # steps before the first bad one
        self._good: Tensor | int = 0 if device.type == "cpu" else torch.zeros((), device=device)

    def check(self, number: Tensor) -> Tensor:
        """Count one step. `number` is finite if and only if the loss and all gradients are.

        Returns the optimizer's `found_inf`: 1 from the first bad step on.
        """
        if isinstance(self._good, Tensor):
            torch.logical_or(self._found, ~torch.isfinite(number), out=self._found)
            self._good += 1 - self._found
        elif math.isfinite(number.item()) and not self._found.item():  # on the CPU .item() does not wait
            self._good += 1
        else:
            self._found.fill_(1.0)
        return self._found

    def step(self) -> int | None:
        """Return the first bad step, counted from 1, or None. Waits for the device."""
        return int(self._good) + 1 if self._found.item() else None


def cause_of_nan(module: nn.Module, run: Callable[[], Tensor]) -> str:
    """Return which layer gives numbers that are not finite, as the end of a sentence; `run` computes the loss again."""
    for name, parameter in module.named_parameters():
        if not parameter.isfinite().all():
            return f"the weight {name} is not finite"
    module.zero_grad(set_to_none=True)
    found: list[str] = []
    with _watched(module, found):
        loss = run()
    if found:
        return f"{found[0]} is the first layer whose output is not finite"
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in reversed([*module.named_parameters()]):
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            return f"the gradient of {name} is the first that is not finite"
    return "no layer gave it when the batch was run again"


@contextmanager
def _watched(module: nn.Module, found: list[str]) -> Iterator[None]:
    """Inside, append to `found` the names of the layers whose output is not finite, in order."""

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, given: Any, made: Any) -> None:
            if isinstance(made, Tensor) and not made.isfinite().all():
                found.append(name)

        return hook

    leaves = [(name, part) for name, part in module.named_modules() if not any(part.children())]
    hooks = [part.register_forward_hook(note(name)) for name, part in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
