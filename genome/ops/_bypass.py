"""Whether layers may be computed by another form, without calling their modules."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

KNOWN = (
    nn.Conv2d, nn.BatchNorm2d, nn.Dropout, nn.Identity,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Sigmoid,
)  # fmt: skip


def may_bypass(parts: Iterable[nn.Module]) -> bool:
    """Whether all parts are torch's own layers without hooks. A layer that the user replaced must be called."""
    return all(type(part) in KNOWN and not has_hooks(part) for part in parts)


def has_hooks(part: nn.Module) -> bool:
    """Whether calling the module does more than its forward."""
    return bool(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
    )
