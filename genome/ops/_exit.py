"""The classifier of an exit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genome.ops._joins import Edges


class Head(nn.Module):
    """Pool each input to a vector, concatenate the vectors, and classify. -> (B, classes)"""

    def __init__(self, edges: Sequence[nn.Module], average: bool, linear: nn.Linear | None) -> None:
        super().__init__()
        self.edges = Edges(edges)
        self.average = average
        self.linear = linear if linear is not None else nn.Identity()

    def forward(self, *xs: Tensor) -> Tensor:
        pooled = [*map(self._pooled, self.edges.maps(xs))]
        vector = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)  # (B, features)
        return self.linear(vector)  # type: ignore[no-any-return]

    def _pooled(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) if self.average else x.flatten(1)  # (B, C) or (B, C * H * W)
