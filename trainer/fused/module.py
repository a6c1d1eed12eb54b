"""Fused: several networks of one architecture, run and trained as one."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainer.fused.lanes import Lanes
from trainer.hardware.precision import laid_out


class Fused:
    """K modules of one architecture, whose tensors become views of packed ones, lane after lane.

    leaves: the packed parameters, in the order of a module's own; with as many dimensions as those, so that weight
    decay goes by them as before.
    Raises whatever comes of modules that are not alike.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.count = len(modules)
        self.leaves = nn.ParameterList()
        self.module = copy.deepcopy(modules[0])
        made: dict[int, Lanes] = {}  # what layers share stays one
        for named, place in ((_parameters, "_parameters"), (_buffers, "_buffers")):
            found = [named(module) for module in modules]
            for name, own in named(self.module).items():
                if id(own) not in made:
                    made[id(own)] = self._pack([tensors[name] for tensors in found])
                path, _, word = name.rpartition(".")
                getattr(self.module.get_submodule(path), place)[word] = made[id(own)]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (K, B, C, H, W) -> the logits of every exit, each (K, B, classes), no less than float32."""
        images = laid_out(x.transpose(0, 1).flatten(1, 2), torch.channels_last)  # (B, K * C, H, W)
        output: Any = self.module(Lanes(images, self.count, 1))
        exits = (output,) if isinstance(output, Tensor) else output
        return tuple([self._logits(exit) for exit in exits])

    def clip(self, largest: float) -> None:
        """Clip each network's gradient to a norm, as `nn.utils.clip_grad_norm_` does that of one."""
        grads = [self.lanes(leaf.grad) for leaf in self.leaves if leaf.grad is not None]
        norms = [torch.linalg.vector_norm(grad.flatten(1), dim=1) for grad in grads]
        factors = (largest / (torch.linalg.vector_norm(torch.stack(norms), dim=0) + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(factors.view(-1, *[1] * (grad.ndim - 1)))

    def lanes(self, packed: Tensor) -> Tensor:
        """A packed tensor, or a leaf's gradient, with a dimension of its own for the networks: (K, ..)."""
        return torch.unflatten(packed, 0, (self.count, -1))

    def _logits(self, exit: Any) -> Tensor:
        logits = torch.unflatten(exit.along(1), 1, (self.count, -1)).transpose(0, 1)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _pack(self, tensors: list[Tensor]) -> Lanes:
        """The tensors in one, of which they become views."""
        first = tensors[0]
        packed = torch.cat([t.detach() for t in tensors]) if first.ndim else torch.stack(tensors).detach()
        if first.ndim == 4:  # as they lie in `__call__`
            packed = laid_out(packed, torch.channels_last)
        # slices, for a view would forget the strides of dimensions of one, by which layouts are told apart
        parts = torch.split(packed, len(first)) if first.ndim else packed.unbind()
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.data = part
        if isinstance(first, nn.Parameter):
            packed = nn.Parameter(packed, first.requires_grad)
            self.leaves.append(packed)
        return Lanes(packed, self.count, 0 if first.ndim else None)


def _parameters(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters(remove_duplicate=False))


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_buffers(remove_duplicate=False))
