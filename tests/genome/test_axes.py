"""Windows with a height and a width of their own: text, spaces, digests, and the modules against plain torch."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genome
from genome.axes import axes, both, effective, extents
from genome.domain import Int, PerAxis
from genome.op import Shape
from genome.testing import around
from genome.transfer import transfer
from genome.yaml.source import SourceError, parse
from search.space.parse import space_of

SOURCE = Shape(4, 11, 8)
HEAD = "genome: g\ninput: [3, 12, 9]\nclasses: 4\nwidths: {rule: constant, base: 6}\nnodes:\n"
OUT = "  out: {op: exit, in: [a]}\n"


def made(word: str, source: Shape = SOURCE, width: int = 6, **genes: Any) -> tuple[Shape, nn.Module]:
    """Return the planned output and the module in float64."""
    op = genome.lookup(word)(**genes)
    out = op.shape([source], width)
    torch.manual_seed(0)
    return out, op.build([source], out).double()


def image(source: Shape = SOURCE) -> torch.Tensor:
    return torch.randn(2, *source, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def windowed(x: torch.Tensor, kernel: Any, stride: Any, dilation: Any) -> torch.Tensor:
    """Pad so that there are ceil(size / stride) outputs, the odd pixel at the bottom and at the right."""
    pads = [
        (d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2)
        for k, d in zip(axes(kernel), axes(dilation), strict=True)
    ]
    return F.pad(x, (*pads[1], *pads[0]))


WINDOWS = [
    ((1, 3), 1, 1),
    ((7, 1), (1, 2), 1),
    ((3, 5), (2, 1), (2, 1)),
    ((2, 3), 2, (3, 2)),
    (3, (1, 3), (1, 2)),
    ((31, 1), (8, 1), 1),
]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_conv_is_torchs_convolution(kernel: Any, stride: Any, dilation: Any) -> None:
    out, module = made("conv", kernel=kernel, stride=stride, dilation=dilation, order="conv", bias=True)
    x = image()
    conv = next(part for part in module.modules() if isinstance(part, nn.Conv2d))
    assert conv.weight.shape == (6, 4, *axes(kernel))
    expected = F.conv2d(
        windowed(x, kernel, stride, dilation), conv.weight, conv.bias, axes(stride), 0, axes(dilation)
    )
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    assert tuple(expected.shape[1:]) == out
    assert out == Shape(6, *(-(-n // s) for n, s in zip(SOURCE[1:], axes(stride), strict=True)))


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_separable_is_torchs_depthwise_convolution(kernel: Any, stride: Any, dilation: Any) -> None:
    _, module = made("separable", kernel=kernel, stride=stride, dilation=dilation)
    x, first = image(), module[0]  # type: ignore[index]
    padded = windowed(x, kernel, stride, dilation)
    expected = F.conv2d(padded, first.weight, None, axes(stride), 0, axes(dilation), groups=4)
    torch.testing.assert_close(first(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("ceil", [False, True])
def test_pool_is_torchs_pool(kind: str, ceil: bool) -> None:
    out, module = made("pool", kind=kind, size=(3, 2), stride=(2, 3), padding=1, ceil=ceil)
    x = image()
    run: Any = F.max_pool2d if kind == "max" else F.avg_pool2d
    expected = run(x, (3, 2), (2, 3), 1, ceil_mode=ceil)
    assert torch.equal(module(x), expected) and tuple(expected.shape[1:]) == out


@pytest.mark.parametrize("word", ["conv", "separable", "deform", "active", "mlpconv", "pool"])
def test_text_comes_back_and_equal_axes_are_one_number(word: str) -> None:
    name = "size" if word == "pool" else "stride"
    text = HEAD + "  a: {op: %s, in: [image], %s: %s}\n" + OUT
    pair, equal, plain = (genome.loads(text % (word, name, value)) for value in ("[1, 2]", "[2, 2]", "2"))
    assert vars(pair.nodes[0].op)[name] == (1, 2) and f"{name}: [1, 2]" in genome.dump(pair)
    assert genome.loads(genome.dump(pair)) == pair
    assert equal == plain
    assert genome.digest(pair) != genome.digest(plain)


@pytest.mark.parametrize(
    "value", ["[3]", "[1, 2, 3]", "[0, 3]", "[1, true]", "[1.0, 3]", "[3, 1.5]", "[1, 32]", "[[1], 3]"]
)
def test_other_lists_are_refused(value: str) -> None:
    with pytest.raises(SourceError) as caught:
        genome.loads(HEAD + f"  a: {{op: conv, in: [image], kernel: {value}}}\n" + OUT, "g.yaml")
    assert str(caught.value) == f"g.yaml:6  a.conv.kernel is {value}; it may be 1..31, or [height, width]"


@pytest.mark.parametrize("value", [(3, 3), [1, 3], (1,), (1, 2, 3), (True, 3), (0, 3), (1.0, 3)])
def test_python_refuses_what_is_no_pair_of_two_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^conv.kernel is .*; it may be 1\.\.31, or \[height, width\]$"):
        genome.lookup("conv")(kernel=value)


def test_a_space_may_state_a_pair_but_not_range_over_pairs() -> None:
    text = (
        "space:\n  widths: {rule: constant, base: 6}\n  nodes:\n"
        "    a: {op: conv, in: [image], kernel: %s, stride: {one_of: [1, 2]}}\n    out: {op: exit, in: [a]}\n"
    )

    def space(kernel: str) -> Any:
        return space_of(parse(text % kernel, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)

    drawn = space("[1, 3]").sample(Random(0))
    assert drawn.nodes[0].op.kernel == (1, 3)
    answers = space("[1, 3]").encode(drawn)
    assert space("[1, 3]").decode(lambda name, _: answers[name]) == drawn
    with pytest.raises(SourceError, match="holds something other than words and numbers"):
        space("{one_of: [3, [1, 3]]}")


def test_a_dilation_along_one_tap_has_no_effect() -> None:
    conv = genome.lookup("conv")
    alike = [conv(kernel=(1, 3), dilation=d) for d in (2, (1, 2), (3, 2))]
    assert len({genome.digest(around(op, 1)) for op in alike}) == 1
    assert genome.digest(around(conv(kernel=(1, 3)), 1)) != genome.digest(around(alike[0], 1))


@pytest.mark.parametrize("word", ["conv", "active"])
def test_weights_of_a_row_go_to_the_row_of_a_larger_kernel(word: str) -> None:
    text = HEAD + "  a: {op: %s, in: [image], width: 5, kernel: %s}\n" + OUT
    parent, child = (genome.resolve(genome.loads(text % (word, kernel))) for kernel in ("[1, 3]", "3"))
    trained, network = genome.build(parent, seed=1), genome.build(child, seed=2)
    before = network.nodes["a"].get_parameter("conv.weight").detach().clone()
    transfer(parent, trained.state_dict(), child, network)
    after = network.nodes["a"].get_parameter("conv.weight")
    assert torch.equal(after[:, :, 1], trained.nodes["a"].get_parameter("conv.weight")[:, :, 0])
    assert not torch.equal(after[:, :, 1], before[:, :, 1])


@given(*(st.tuples(st.integers(1, 9), st.integers(1, 9)) for _ in range(2)))
def test_axes_and_both_are_inverse(kernel: tuple[int, int], dilation: tuple[int, int]) -> None:
    assert axes(both(*kernel)) == kernel
    assert extents(both(*kernel), both(*dilation)) == tuple(
        d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)
    )
    least = effective(both(*dilation), both(*kernel))
    assert extents(both(*kernel), least) == extents(both(*kernel), both(*dilation))
    domain = PerAxis(Int(1, 9))
    assert both(*kernel) in domain and domain.paired([*kernel]) == both(*kernel)


def test_the_rows_of_a_receptive_field() -> None:
    text = (
        HEAD
        + "  b: {op: conv, in: [image], kernel: [5, 1], stride: [2, 1]}\n  a: {op: conv, in: [b], kernel: [3, 7]}\n"
    )
    assert genome.resolve(genome.loads(text + OUT)).receptive_field == 5 + 2 * 2
