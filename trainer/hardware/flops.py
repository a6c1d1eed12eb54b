"""Work: the multiply-adds of a module, and the floating point operations of a training step that follow from them.

A forward takes 2 operations for each multiply-add. A backward takes as many again for the gradient of the weights, and
as many for the gradient of the input, which only layers behind a learned one need: the image has no gradient.
Norms, activations, pools and the optimizer count none, as is usual for model FLOPs (Chowdhery et al., PaLM,
arXiv:2204.02311, appendix B).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainer.hardware.modes import mode_kept

aten: Any = torch.ops.aten


@dataclass(frozen=True)
class Work:
    """What one image takes. macs: multiply-adds of a forward.

    image_macs: those of them that read nothing learned, so that backward makes no gradient of what they read: the
    layers that read the image itself, or what a pool or a fixed mask made of it.
    """

    macs: int
    image_macs: int

    def train_flops(self, images: int) -> int:
        """Operations of training steps over so many images: forward, gradients of weights, gradients of inputs."""
        return images * (6 * self.macs - 2 * self.image_macs)

    def infer_flops(self, images: int) -> int:
        """Operations of forwards over so many images."""
        return images * 2 * self.macs


def work(module: nn.Module, input_shape: tuple[int, int, int]) -> Work:
    """The work of a module on one image (channels, height, width).

    A module that has integers `macs` and `image_macs` is taken at its word. Any other is run once, on one black
    image in eval mode, and its convolutions and matrix products are counted; it ends as it was. With drop-path, what
    a mini-batch leaves out is counted all the same: this is the work of the whole network.

    Raises whatever the module raises.
    """
    said = getattr(module, "macs", None), getattr(module, "image_macs", None)
    if isinstance(said[0], int) and isinstance(said[1], int):
        return Work(said[0], said[1])
    return counted(module, input_shape)


def counted(module: nn.Module, input_shape: tuple[int, int, int]) -> Work:
    """Count the work of one image by running it, whatever the module says of itself."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    counter = _Counter(module)
    # With gradients, and with plain products for attention: without, torch runs whole layers as one operation.
    with mode_kept(module), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        module.eval()
        image = torch.zeros(1, *input_shape, device=device)
        with counter:
            module(image)
    return Work(counter.macs, counter.image_macs)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts products, and follows through all operations which storages hold something learned."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = self.image_macs = 0
        self._learned = {_storage(p) for p in module.parameters() if p.requires_grad}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        product = PRODUCTS.get(func.overloadpacket)
        if product is not None:
            self._count(*product(args, out))
        learned = self._is_learned(*_tensors((args, kwargs)))
        for tensor in _tensors(out):  # an address may have been another's before
            (self._learned.add if learned else self._learned.discard)(_storage(tensor))
        return out

    def _count(self, macs: int, *factors: Tensor) -> None:
        self.macs += macs
        self.image_macs += macs * sum(not self._is_learned(factor) for factor in factors)

    def _is_learned(self, *tensors: Tensor) -> bool:
        return any(_storage(tensor) in self._learned for tensor in tensors)


Product = Callable[[tuple[Any, ...], Tensor], tuple[int, Tensor, Tensor]]


def _convolution(args: tuple[Any, ...], out: Tensor) -> tuple[int, Tensor, Tensor]:
    """Each output takes a kernel of (C / groups, kH, kW); transposed, each input gives one."""
    x, weight, transposed = args[0], args[1], args[6]
    return (x if transposed else out).numel() * weight[0].numel(), x, weight


def _matrices(first: int) -> Product:
    """A product of matrices, of which the left one is that argument."""

    def product(args: tuple[Any, ...], out: Tensor) -> tuple[int, Tensor, Tensor]:
        left, right = args[first : first + 2]
        return out.numel() * left.shape[-1], left, right

    return product


PRODUCTS: dict[Any, Product] = {
    aten.convolution: _convolution,
    aten.mm: _matrices(0),
    aten.bmm: _matrices(0),
    aten.addmm: _matrices(1),
    aten.baddbmm: _matrices(1),
}


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
