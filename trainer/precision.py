"""Number format and memory layout in which a network runs."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bf16, or nothing; `auto` is bf16 on CUDA devices that have it."""
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def layout(module: nn.Module, device: torch.device) -> torch.memory_format:
    """channels_last where it pays."""
    return torch.contiguous_format
