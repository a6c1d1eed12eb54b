"""conv and separable against torch by hand, with the same weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import genome
from genome.op import Op, Shape
from tests.pairwise import pairs

IMAGE = Shape(4, 7, 6)
ORDERS = genome.lookup("conv").genes[6].legal.choices  # type: ignore[union-attr]

Run = Callable[[Tensor], Tensor]


def made(word: str, ins: Sequence[Shape], width: int, **genes: Any) -> nn.Module:
    op: Op = genome.lookup(word)(**genes)
    torch.manual_seed(0)
    return op.build(ins, op.shape(ins, width)).double()


def noise(shape: Shape, seed: int = 0) -> Tensor:
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def normed(module: nn.Module, name: str) -> Run:
    """Return the batch norm of a training step, by its definition."""
    norm = module.get_submodule(name)
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)

    def run(x: Tensor) -> Tensor:
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        scale, shift = norm.weight.view(-1, 1, 1), norm.bias.view(-1, 1, 1)
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + shift

    return run


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_the_one_written_out(order: str) -> None:
    module = made("conv", [IMAGE], 5, order=order, stride=2)
    x = noise(IMAGE)
    weight = module.get_parameter("conv.weight" if order != "conv" else "weight")

    def conv(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, stride=2, padding=1)

    match order:
        case "conv-norm-act":
            expected = normed(module, "norm")(conv(x)).relu()
        case "norm-act-conv":
            expected = conv(normed(module, "norm")(x).relu())
        case "act-conv-norm":
            expected = normed(module, "norm")(conv(x.relu()))
        case "norm-conv-norm-act":
            expected = normed(module, "norm2")(conv(normed(module, "norm")(x))).relu()
        case "conv-norm":
            expected = normed(module, "norm")(conv(x))
        case "conv-act":
            expected = conv(x).relu()
        case _:
            assert order == "conv"
            expected = conv(x)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("word", "by_hand"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("relu6", lambda x: x.clamp(0, 6)),
        ("leaky-relu", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ("silu", lambda x: x / (1 + torch.exp(-x))),
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))),
    ],
)
def test_activations_are_those_of_their_words(word: str, by_hand: Run) -> None:
    module = made("conv", [IMAGE], 5, order="conv-act", activation=word)
    x = 5 * noise(IMAGE)
    plain = F.conv2d(x, module.get_parameter("conv.weight"), padding=1)
    torch.testing.assert_close(module(x), by_hand(plain), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("channels", "groups"), [(6, 2), (8, 8), (12, 4), (7, 1), (16, 8)])
def test_a_group_norm_has_up_to_eight_groups_that_divide_the_channels(channels: int, groups: int) -> None:
    norm = made("conv", [IMAGE], channels, order="conv-norm", norm="group").get_submodule("norm")
    assert isinstance(norm, nn.GroupNorm) and norm.num_groups == groups


@pytest.mark.parametrize(("kernel", "dilation", "stride"), pairs([1, 2, 3, 4, 5], [1, 2], [1, 2, 3]))
def test_same_padding_gives_the_size_over_the_stride(kernel: int, dilation: int, stride: int) -> None:
    """The window of an output pixel begins (k - 1) * d // 2 before the pixel; the odd pixel is padded at the end."""
    module = made("conv", [IMAGE], 2, order="conv", kernel=kernel, dilation=dilation, stride=stride)
    x = noise(IMAGE)
    total = dilation * (kernel - 1) if kernel > 1 else 0
    front, back = total // 2, total - total // 2
    weight = next(module.parameters())
    expected = F.conv2d(
        F.pad(x, (front, back, front, back)), weight, stride=stride, dilation=dilation if kernel > 1 else 1
    )
    assert expected.shape[2:] == (-(-7 // stride), -(-6 // stride))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_padding_by_number(padding: int) -> None:
    module = made("conv", [IMAGE], 2, order="conv", padding=padding, stride=2)
    expected = F.conv2d(noise(IMAGE), next(module.parameters()), stride=2, padding=padding)
    torch.testing.assert_close(module(noise(IMAGE)), expected, rtol=0, atol=1e-12)


# --- groups


@pytest.mark.parametrize(
    ("asked", "channels", "width", "groups"),
    [(1, 6, 6, 1), (2, 6, 6, 2), (4, 6, 6, 2), (8, 12, 8, 4), (8, 8, 12, 4), (5, 6, 6, 1), (64, 4, 8, 4)],
)
def test_groups_are_reduced_to_what_divides_both_sides(
    asked: int, channels: int, width: int, groups: int
) -> None:
    source = Shape(channels, 5, 5)
    module = made("conv", [source], width, order="conv", groups=asked)
    assert isinstance(module, nn.Conv2d) and module.groups == groups
    assert module.weight.numel() == 9 * channels * width // groups


def test_each_input_has_groups_of_its_own() -> None:
    sources = [Shape(4, 5, 5), Shape(6, 5, 5), Shape(3, 5, 5)]
    module = made("conv", sources, 8, order="conv", groups=4)
    assert [span.groups for span in vars(module.get_submodule("conv"))["spans"]] == [4, 2, 1]
    xs = [noise(source, seed) for seed, source in enumerate(sources)]
    weights = torch.split(module.get_parameter("conv.weight"), [1, 3, 3], dim=1)
    expected = sum(
        F.conv2d(x, w, padding=1, groups=g) for x, w, g in zip(xs, weights, [4, 2, 1], strict=True)
    )
    torch.testing.assert_close(module(*xs), expected, rtol=0, atol=1e-12)
    cost = genome.lookup("conv")(order="conv", groups=4).cost(sources, Shape(8, 5, 5))
    assert cost.weights == sum(w.numel() for w in weights)


# --- several inputs


PARTS = [Shape(2, 7, 6), Shape(4, 7, 6), Shape(1, 7, 6)]
WHOLE = Shape(7, 7, 6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_a_conv_over_several_inputs_is_the_conv_of_their_concatenation(order: str, bias: bool) -> None:
    genes = {"order": order, "stride": 2, "dilation": 2, "bias": bias}
    parts, whole = made("conv", PARTS, 5, **genes), made("conv", [WHOLE], 5, **genes)
    _copy(parts, whole)
    _agree(parts, whole)


@pytest.mark.parametrize("bias", [False, True])
def test_a_separable_over_several_inputs_is_that_of_their_concatenation(bias: bool) -> None:
    genes = {"kernel": 5, "stride": 2, "bias": bias, "activation": "silu"}
    parts, whole = made("separable", PARTS, 5, **genes), made("separable", [WHOLE], 5, **genes)
    _copy(parts, whole)
    _agree(parts, whole)


def _copy(parts: nn.Module, whole: nn.Module) -> None:
    """Copy the weights of the parts into the whole: the kernels of the inputs are concatenated."""
    torch.manual_seed(1)
    for tensor in parts.parameters():
        tensor.data.uniform_(-1, 1)
    (whole if isinstance(whole, nn.Sequential) else nn.ModuleDict({"conv": whole})).load_state_dict(
        parts.state_dict()
    )


def _agree(parts: nn.Module, whole: nn.Module) -> None:
    xs = [noise(shape, seed) for seed, shape in enumerate(PARTS)]
    for training in (True, False):
        ours = parts.train(training)(*xs)
        torch.testing.assert_close(ours, whole.train(training)(torch.cat(xs, dim=1)), rtol=0, atol=1e-12)


# --- dropout, norms without scales, eps


def test_dropout_follows_the_convolution_and_is_of_training_alone() -> None:
    module = made("conv", [Shape(4, 40, 40)], 8, order="norm-act-conv", dropout=0.3)
    assert list(dict(module.named_children())) == ["norm", "act", "conv", "dropout"]
    x = noise(Shape(4, 40, 40))
    whole = module.get_submodule("conv")(normed(module, "norm")(x).relu())
    out = module(x)
    kept = out != 0
    torch.testing.assert_close(out[kept], (whole / 0.7)[kept], rtol=0, atol=1e-12)
    assert (~kept).double().mean().item() == pytest.approx(0.3, abs=0.01)
    module.eval()
    assert torch.equal(module(x), module(x)) and module(x).count_nonzero() == out.numel()


@pytest.mark.parametrize("order", [o for o in ORDERS if "norm" in o])
def test_a_plain_norm_only_normalises(order: str) -> None:
    module = made("conv", [IMAGE], 5, order=order, norm="plain", eps=0.05)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any([*n.parameters()] for n in norms)
    assert {n.eps for n in norms} == {0.05}
    assert [n for n, _ in module.named_parameters()] == ["conv.weight"]


@pytest.mark.parametrize("norm", ["batch", "plain", "group"])
@pytest.mark.parametrize("eps", [1e-9, 1e-3, 0.1])
def test_eps_is_added_to_the_variance(eps: float, norm: str) -> None:
    module = made("conv", [IMAGE], 5, order="conv-norm", norm=norm, eps=eps)
    x = 0.05 * noise(IMAGE)  # the variance is so small that eps matters
    y = F.conv2d(x, module.get_parameter("conv.weight"), padding=1)
    over = (1, 2, 3) if norm == "group" else (0, 2, 3)  # five channels are one group
    mean, variance = y.mean(over, keepdim=True), y.var(over, unbiased=False, keepdim=True)
    torch.testing.assert_close(module(x), (y - mean) / torch.sqrt(variance + eps), rtol=0, atol=1e-9)


@pytest.mark.parametrize("word", ["separable", "active", "deform", "perturb", "mlpconv", "act"])
def test_eps_reaches_every_norm_of_other_types(word: str) -> None:
    given = {"norm": "batch"} if word in ("mlpconv", "act") else {}
    module = made(word, [IMAGE], 4, eps=0.02, **given)
    norms = [m.eps for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and set(norms) == {0.02}
