"""Work: the multiply-adds of a module, and the floating point operations of a training step.

A forward pass takes 2 operations per multiply-add. A backward pass takes as many for the gradient of the weights, and
as many for the gradient of the input, which only layers behind a trainable one need: the image has no gradient.
Norms, activations, pools and the optimizer are not counted, as is usual for model FLOPs (Chowdhery et al., PaLM,
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
    """The multiply-adds of one image."""

    macs: int
    """Multiply-adds of a forward pass."""
    image_macs: int
    """Those of layers whose input depends on no trainable weight, such as the image: they need no input gradient."""

    def train_flops(self, images: int) -> int:
        """Return the operations of training steps over so many images: forward, gradients of weights and inputs."""
        return images * (6 * self.macs - 2 * self.image_macs)

    def infer_flops(self, images: int) -> int:
        """Return the operations of forward passes over so many images."""
        return images * 2 * self.macs


def work(module: nn.Module, input_shape: tuple[int, int, int]) -> Work:
    """Return the work of a module on one image (channels, height, width).

    The integers `macs` and `image_macs` of a module that has them are used. Any other module is run once, on one black
    image in eval mode, and its convolutions and matrix products are counted; the module is left unchanged. Paths that
    drop-path leaves out of a batch are counted too: this is the work of the whole network.

    Raises whatever the module raises.
    """
    macs, image_macs = getattr(module, "macs", None), getattr(module, "image_macs", None)
    if isinstance(macs, int) and isinstance(image_macs, int):
        return Work(macs, image_macs)
    return counted(module, input_shape)


def counted(module: nn.Module, input_shape: tuple[int, int, int]) -> Work:
    """Count the work of one image by running the module, whatever attributes it has."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    counter = _Counter(module)
    # Without gradients, or with fused attention, torch would run whole layers as one operation.
    with mode_kept(module), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        module.eval()
        image = torch.zeros(1, *input_shape, device=device)
        with counter:
            module(image)
    return Work(counter.macs, counter.image_macs)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts products, and tracks through all operations which storages depend on trainable weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = self.image_macs = 0
        self._trained = {_storage(p) for p in module.parameters() if p.requires_grad}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        product = PRODUCTS.get(func.overloadpacket)
        if product is not None:
            self._count(*product(args, out))
        trained = self._is_trained(*_tensors((args, kwargs)))
        for tensor in _tensors(out):  # a storage may reuse the address of a freed one
            (self._trained.add if trained else self._trained.discard)(_storage(tensor))
        return out

    def _count(self, macs: int, *factors: Tensor) -> None:
        self.macs += macs
        self.image_macs += macs * sum(not self._is_trained(factor) for factor in factors)

    def _is_trained(self, *tensors: Tensor) -> bool:
        return any(_storage(tensor) in self._trained for tensor in tensors)


Product = Callable[[tuple[Any, ...], Tensor], tuple[int, Tensor, Tensor]]


def _convolution(args: tuple[Any, ...], out: Tensor) -> tuple[int, Tensor, Tensor]:
    """Each output element takes a kernel of (C / groups, kH, kW); in a transposed one, each input element."""
    x, weight, transposed = args[0], args[1], args[6]
    return (x if transposed else out).numel() * weight[0].numel(), x, weight


def _matrices(first: int) -> Product:
    """Return the rule of a matrix product whose left factor is the argument number `first`."""

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
