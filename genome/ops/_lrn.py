"""The torch module of `lrn`. It saves one map for the backward pass, its input; nn.LocalResponseNorm saves four."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def summed(x: Tensor, before: int, behind: int) -> Tensor:
    """The sum of each channel, `before` channels before it and `behind` after it. (B, C, H, W) -> (B, C, H, W)"""
    total = x.clone()
    for step in range(1, before + 1):
        total[:, step:] += x[:, :-step]
    for step in range(1, behind + 1):
        total[:, :-step] += x[:, step:]
    return total


class _Normalised(torch.autograd.Function):
    """y = x * d ** -beta with d = k + alpha * summed(x * x), recomputed in the backward pass."""

    @staticmethod
    def forward(x: Tensor, before: int, behind: int, alpha: float, beta: float, k: float) -> Tensor:
        fine = _fine(x)
        scale = summed(fine * fine, before, behind).mul_(alpha).add_(k).pow_(-beta)
        return scale.mul_(fine).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, *ctx.numbers = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        before, behind, alpha, beta, k = ctx.numbers
        x, grad_y = _fine(ctx.saved_tensors[0]), _fine(grad)
        divisor = k + alpha * summed(x * x, before, behind)
        scaled = grad_y * divisor**-beta
        # a channel is in the sums of its neighbours, which is the mirrored window
        others = summed(scaled * x / divisor, behind, before)
        return (scaled - 2 * alpha * beta * x * others).to(grad.dtype), None, None, None, None, None


def _fine(x: Tensor) -> Tensor:
    """The tensor in at least float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class Lrn(nn.Module):
    """Local response normalisation over `before` + 1 + `behind` channels. (B, C, H, W) -> (B, C, H, W)"""

    def __init__(self, before: int, behind: int, alpha: float, beta: float, k: float) -> None:
        super().__init__()
        self.numbers = (before, behind, alpha, beta, k)

    def forward(self, x: Tensor) -> Tensor:
        return _Normalised.apply(x, *self.numbers)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return ", ".join(f"{n:g}" for n in self.numbers)
