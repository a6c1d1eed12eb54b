"""BranchyNet on AlexNet in plain torch (Teerapittayanon et al., ICPR 2016, arXiv:1709.01686).

The layers are in the order of the authors' code: a branch stands where it leaves the trunk."""

from __future__ import annotations

from torch import Tensor, nn


class Branch(nn.Sequential):
    """The layers of an early exit."""


class BranchyAlexNet(nn.Module):
    """Three exits. (B, 3, 32, 32) -> three times (B, 10)"""

    def __init__(self) -> None:
        super().__init__()
        first = Branch(
            *_pooled(),
            _lrn(),
            *_conv(64, 32),
            *_conv(32, 32),
            _pool(),
            nn.Flatten(),
            nn.Linear(512, 10),
        )
        second = Branch(*_pooled(), _lrn(), *_conv(96, 32), _pool(), nn.Flatten(), nn.Linear(128, 10))
        last = Branch(nn.Linear(128, 10))
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, 32, 5, padding=2), *_pooled(), _lrn(),
                nn.Conv2d(32, 64, 5, padding=2), first, *_pooled(), _lrn(),
                nn.Conv2d(64, 96, 3, padding=1), second, nn.ReLU(),
                *_conv(96, 96), nn.Conv2d(96, 64, 3, padding=1), *_pooled(), nn.Flatten(),
                nn.Linear(1024, 256), nn.ReLU(), nn.Dropout(0.5),
                nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5), last,
            ]
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        logits = []
        for layer in self.layers:
            if isinstance(layer, Branch):
                logits.append(layer(x))
            else:
                x = layer(x)
        return tuple(logits)


def _conv(channels: int, width: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def _pooled() -> tuple[nn.Module, nn.Module]:
    return nn.ReLU(), _pool()


def _lrn() -> nn.Module:
    return nn.LocalResponseNorm(3, alpha=1.5e-4, beta=0.75, k=2.0)
