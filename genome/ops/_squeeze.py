"""The torch module of `squeeze`, imported only by `build`."""

from __future__ import annotations

from torch import Tensor, nn


class Squeeze(nn.Module):
    """Multiply each channel by a factor that two linear layers give for the channels' means. (B, C, H, W) -> same"""

    def __init__(self, channels: int, hidden: int, bias: bool, act: nn.Module) -> None:
        super().__init__()
        self.down = nn.Linear(channels, hidden, bias)
        self.act = act
        self.up = nn.Linear(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.up(self.act(self.down(x.mean(dim=(2, 3))))).sigmoid()  # (B, C)
        return x * scale[:, :, None, None]  # type: ignore[no-any-return]
