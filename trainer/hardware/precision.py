"""Form: the precision and memory layout in which a network runs."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
FEW_CHANNELS = 16  # which a processor takes at once, at most


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


def layouts(module: nn.Module, device: torch.device) -> tuple[str, ...]:
    """Return the layouts in which a module can be trained.

    oneDNN's gradient of a strided 1x1 convolution over few channels is wrong in channels_last, and may crash
    (github.com/uxlfoundation/oneDNN/issues/6035).
    """
    if device.type == "cpu" and any(map(_picks_pixels, module.modules())):
        return ("contiguous",)
    return tuple(_FORMATS)


def _picks_pixels(layer: nn.Module) -> bool:
    """Whether a layer is a convolution that reads some pixels of few channels, each by itself."""
    weight, window = getattr(layer, "weight", None), getattr(layer, "window", layer)
    if not isinstance(weight, Tensor) or weight.ndim != 4 or weight.shape[2:] != (1, 1):
        return False
    stride = getattr(window, "stride", 1)
    return stride not in (1, (1, 1)) and weight.shape[1] < FEW_CHANNELS


def usual(module: nn.Module, device: torch.device, precision: str = "auto", layout: str = "auto") -> Form:
    """Return the form that suits most networks; a given precision or layout is used as it is, if it can be (`layouts`).

    bf16 on CUDA devices that have it. channels_last for convolutions: a training step on one CPU thread was 1.05 to
    1.76 times as fast as in contiguous layout (median 1.29) with 14 genomes drawn for images of 8x8, and 1.24 to 1.66
    times (1.44) with 8 of 28x28. On CUDA the bf16 kernels need it.
    """
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" and has_bf16(device) else "fp32"
    if layout == "auto":
        has_conv = any(parameter.ndim == 4 for parameter in module.parameters())
        layout = "channels_last" if has_conv else "contiguous"
    able = layouts(module, device)
    return Form(precision, layout if layout in able else able[0])
