"""The torch modules of activations, also of those that only some node types have."""

from __future__ import annotations

from torch import nn

from genome.ops import _modules


def act(kind: str, in_place: bool = False) -> nn.Module:
    """An activation by its word. `in_place` lets ReLU overwrite its input."""
    return nn.Sigmoid() if kind == "sigmoid" else _modules.act(kind, in_place)
