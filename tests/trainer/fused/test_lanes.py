"""Functions of the tensors of several networks side by side are those of each network's own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.fused.lanes import Lanes

COUNT = 3


def side_by_side(tensors: list[Tensor], at: int) -> Lanes:
    return Lanes(torch.cat(tensors, at), COUNT, at)


def drawn(*shape: int) -> list[Tensor]:
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(COUNT)]


FUNCTIONS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Any]] = {
    "conv": lambda x, w, b, m: F.conv2d(x, w, b, stride=2, padding=1),
    "conv in groups": lambda x, w, b, m: F.conv2d(x, w[:, :2], b, padding="same", groups=2),
    "a part of a kernel": lambda x, w, b, m: F.conv2d(x[:, :, 1:], w.narrow(0, 1, 3), b[1:4]),
    "batch norm": lambda x, w, b, m: F.batch_norm(F.conv2d(x, w), b.detach() * 0, b.detach() * 1, b, b, True),
    "group norm": lambda x, w, b, m: F.group_norm(F.conv2d(x, w), 3, b, b),
    "elementwise": lambda x, w, b, m: F.silu(2.0 * x) + x / (1 + x.sigmoid()) - F.relu(x + 1, inplace=True),
    "in place": lambda x, w, b, m: (x + 1).mul_(2).div_(x.shape[1]),
    "scaled channels": lambda x, w, b, m: x * x.mean((2, 3))[:, :, None, None],
    "over all": lambda x, w, b, m: x.mean(),
    "over images": lambda x, w, b, m: x.sum(0),
    "pools": lambda x, w, b, m: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2) + F.adaptive_avg_pool2d(x, 2),
    "concatenated": lambda x, w, b, m: torch.cat([x, x[:, :2], x * 2], dim=1),
    "behind each other": lambda x, w, b, m: torch.cat([x, x], dim=0),
    "padded image": lambda x, w, b, m: F.pad(x, (1, 0, 2, 0)),
    "more channels": lambda x, w, b, m: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "fewer channels": lambda x, w, b, m: F.pad(x, (0, 0, 0, 0, 0, -1)),
    "split": lambda x, w, b, m: torch.cat(torch.split(x, [1, 3], dim=1)[::-1], dim=1),
    "linear": lambda x, w, b, m: F.linear(x.flatten(1), m, b),
    "linear without bias": lambda x, w, b, m: F.linear(x.flatten(1), m).exp(),
    "rows": lambda x, w, b, m: F.linear(x.flatten(2).transpose(1, 2), w[:, :, 0, 0]),
    "softmax": lambda x, w, b, m: x.softmax(1),
    "shapes": lambda x, w, b, m: x.reshape(len(x), -1, x.size(2)) * x.dim() + w.numel(),
    "a constant": lambda x, w, b, m: x + torch.ones(4, 1, 1, dtype=x.dtype),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradients_are_those_of_each_network(name: str) -> None:
    torch.manual_seed(0)
    run = FUNCTIONS[name]
    given = [drawn(2, 4, 4, 4), drawn(6, 4, 3, 3), drawn(6), drawn(6, 64)]
    each = [run(*[tensor * 1 for tensor in own]) for own in zip(*given, strict=True)]
    packed = [
        side_by_side([t * 1 for t in tensors], at) for tensors, at in zip(given, (1, 0, 0, 0), strict=True)
    ]
    found = run(*packed)
    assert isinstance(found, Lanes) and found.shape == each[0].shape
    lanes, at = found.apart()
    for own, lane in zip(each, lanes.unbind(at), strict=True):
        torch.testing.assert_close(lane, own, rtol=1e-12, atol=1e-12)
    leaves = [tensor for tensors in given for tensor in tensors]
    weight = torch.randn_like(each[0])
    wanted = torch.autograd.grad(sum((own * weight).sum() for own in each), leaves, materialize_grads=True)
    total = sum((lane * weight).sum() for lane in lanes.unbind(at))
    made = torch.autograd.grad(total, leaves, materialize_grads=True)
    for gradient, own in zip(made, wanted, strict=True):
        torch.testing.assert_close(gradient, own, rtol=1e-10, atol=1e-10)


def test_dropout_differs_between_networks() -> None:
    torch.manual_seed(0)
    x = side_by_side([torch.ones(8, 4, 4, 4)] * COUNT, 1)
    first, second, _ = F.dropout(x, 0.5).apart()[0].unbind(1)
    assert not first.equal(second)
    assert {*first.unique().tolist()} == {0.0, 2.0}


class Doubled(torch.autograd.Function):
    """A function with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 2


@pytest.mark.parametrize(
    "run",
    [
        Doubled.apply,
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * x.mean().item(),
        lambda x: x if torch.equal(x, x) else -x,
        lambda x: nn.Parameter(x),
    ],
)
def test_what_cannot_be_followed_is_refused(run: Callable[[Tensor], Tensor]) -> None:
    x = side_by_side(drawn(2, 4, 4, 4), 1)
    with pytest.raises((RuntimeError, ValueError)):
        run(x)
