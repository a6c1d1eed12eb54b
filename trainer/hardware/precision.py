"""Form: the precision and memory layout in which a network runs."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Form(NamedTuple):
    """The precision and memory layout of a network."""

    precision: str  # fp32 or bf16 (autocast)
    layout: str  # contiguous or channels_last

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the images; losses and statistics of norms are always float32."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @property
    def memory_format(self) -> torch.memory_format:
        return _FORMATS[self.layout]

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return a context that casts to bf16, or does nothing."""
        return torch.autocast(device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def lay_out(self, module: nn.Module) -> None:
        """Convert the module's kernels to the layout, also those of one channel.

        A tensor of one channel is contiguous in both layouts, so that `Module.to` may not change it, but torch
        chooses its implementation by the strides.
        """
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.ndim == 4:
                tensor.data = laid_out(tensor.data, self.memory_format)


def laid_out(x: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Return the tensor (B, C, H, W) with the strides of the layout, even if torch considers them equal."""
    wanted = torch.empty_like(x, memory_format=memory_format)
    return x if x.stride() == wanted.stride() else wanted.copy_(x)


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 numbers natively, not through float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def usual(module: nn.Module, device: torch.device, precision: str = "auto", layout: str = "auto") -> Form:
    """Return the form that suits most networks; a given precision or layout is used as it is.

    bf16 on CUDA devices that have it. channels_last for convolutions: a training step on one CPU thread was 1.05 to
    1.76 times as fast as in contiguous layout (median 1.29) with 14 genomes drawn for images of 8x8, and 1.24 to 1.66
    times (1.44) with 8 of 28x28. On CUDA the bf16 kernels need it.
    """
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" and has_bf16(device) else "fp32"
    if layout == "auto":
        has_conv = any(parameter.ndim == 4 for parameter in module.parameters())
        layout = "channels_last" if has_conv else "contiguous"
    return Form(precision, layout)
