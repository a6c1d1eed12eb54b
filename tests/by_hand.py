"""Networks written in plain torch over the weights of a module, to compare the module with published formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import genome
from genome.network import Network

EXACT = {"rtol": 0.0, "atol": 1e-12}


def network(text: str, training: bool = True, seed: int = 0) -> Network:
    """Return the module of a genome in float64, with norms and biases away from their initial values."""
    module = genome.build(genome.resolve(genome.loads(text)), seed=seed).double()
    chance = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.dim() == 1:
            noise = torch.rand(tensor.shape, dtype=tensor.dtype, generator=chance)
            tensor.copy_(0.5 + noise if "var" in name or "weight" in name else noise - 0.5)
    return module.train(training)


def image(channels: int = 3, size: int = 8, batch: int = 3) -> Tensor:
    """Return noise in float64."""
    chance = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, size, size, dtype=torch.float64, generator=chance)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply a convolution that keeps the size of the image."""
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def norm(x: Tensor, own: nn.Module) -> Tensor:
    """Apply batch norm by its definition, with the batch's statistics in training, else with those of `own`."""
    assert isinstance(own, nn.BatchNorm2d)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    if not own.training:
        assert own.running_mean is not None and own.running_var is not None
        mean, variance = own.running_mean, own.running_var
    x = (x - mean.view(-1, 1, 1)) / torch.sqrt(variance.view(-1, 1, 1) + own.eps)
    return x if own.weight is None else x * own.weight.view(-1, 1, 1) + own.bias.view(-1, 1, 1)


def classified(x: Tensor, head: nn.Module) -> Tensor:
    """Return the logits of an exit that averages."""
    (linear,) = (part for part in head.modules() if isinstance(part, nn.Linear))
    return F.linear(x.mean((2, 3)), linear.weight, linear.bias)


def agree(module: Network, theirs: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Compare the logits, and the gradients of a weighted sum of them by the image and by every weight."""
    x = x.clone().requires_grad_()
    chance = torch.Generator().manual_seed(2)
    (ours,), expected = module(x), theirs(x)
    torch.testing.assert_close(ours, expected, **EXACT)
    share = torch.randn(ours.shape, dtype=ours.dtype, generator=chance)
    wanted = [x, *module.parameters()]
    mine, other = (
        torch.autograd.grad((out * share).sum(), wanted, allow_unused=True, retain_graph=True)
        for out in (ours, expected)
    )
    for a, b in zip(mine, other, strict=True):
        if a is None or b is None:  # a weight that no logit needs
            assert a is b is None or not torch.cat([g.flatten() for g in (a, b) if g is not None]).any()
        else:
            torch.testing.assert_close(a, b, **EXACT)


class Convolutions(TorchDispatchMode):
    """Counts the convolutions that run."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten.convolution.default
        return func(*args, **(kwargs or {}))


@contextmanager
def run(module: Network) -> Iterator[list[str]]:
    """Collect the names of the steps that run inside, in order; hooks keep the steps from running as one."""
    names: list[str] = []
    hooks = [
        part.register_forward_pre_hook(lambda _m, _i, name=name: names.append(name))  # type: ignore[misc]
        for name, part in module.nodes.items()
    ]
    yield names
    for hook in hooks:
        hook.remove()
