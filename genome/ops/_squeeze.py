"""The torch module of `squeeze`."""

from __future__ import annotations

from torch import Tensor, nn


class Squeeze(nn.Module):
    """Weigh the channels by two linear layers over their means. (B, C, H, W) -> (B, C, H, W)"""

    def __init__(self, channels: int, hidden: int, bias: bool, act: nn.Module) -> None:
        super().__init__()
        self.down = nn.Linear(channels, hidden, bias)
        self.act = act
        self.up = nn.Linear(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.up(self.act(self.down(x.mean(dim=(2, 3))))).sigmoid()  # (B, C)
        return x * scale[:, :, None, None]  # type: ignore[no-any-return]
