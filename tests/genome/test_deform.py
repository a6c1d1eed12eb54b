"""deform against torchvision's kernel, and against the definition, pixel by pixel."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

import genome
from genome.op import Op, Shape
from genome.ops._deform import Deform
from tests.pairwise import pairs

IMAGE = Shape(4, 7, 6)


def made(width: int = 6, shape: Shape = IMAGE, moved: bool = True, **genes: Any) -> Deform:
    op: Op = genome.lookup("deform")(order="conv", **genes)
    torch.manual_seed(0)
    module = op.build([shape], op.shape([shape], width)).double()
    assert isinstance(module, Deform)
    if moved:
        with torch.no_grad():
            for p in module.offset.parameters():
                p += 0.4 * torch.randn_like(p)
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def reference(x: Tensor, module: Deform) -> Tensor:
    """Compute by torchvision's kernel, with offsets and mask in its layout."""
    place = {"stride": module.stride, "padding": module.padding, "dilation": module.dilation}
    given = F.conv2d(x, module.offset.weight, module.offset.bias, **place)
    offsets = 2 * module.groups * module.taps
    mask = None if module.modulation == "none" else torch.sigmoid(given[:, offsets:])
    if mask is not None and module.modulation == "unit":
        mask = 2 * mask
    out = deform_conv2d(x, given[:, :offsets], module.weight, module.bias, mask=mask, **place)
    assert isinstance(out, Tensor)
    return out


def gradients(out: Tensor, x: Tensor, module: nn.Module) -> list[Tensor]:
    return [*torch.autograd.grad(out, [x, *module.parameters()], noise(*out.shape, seed=2))]


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "shape", "groups", "modulation"),
    pairs(
        [(3, 1, 1, IMAGE), (3, 2, 1, IMAGE), (5, 3, 2, IMAGE), (1, 1, 1, IMAGE), (3, 2, 2, Shape(4, 1, 1))],
        [1, 2, 8],
        ["none", "unit", "half"],
    ),
)
def test_outputs_and_all_gradients_are_torchvisions(
    kernel: int, stride: int, dilation: int, shape: Shape, groups: int, modulation: str
) -> None:
    genes = {"kernel": kernel, "stride": stride, "dilation": dilation, "groups": groups}
    module = made(shape=shape, bias=True, modulation=modulation, **genes)
    x = noise(3, *shape).requires_grad_()
    out, expected = module(x), reference(x, module)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(gradients(out, x, module), gradients(expected, x, module), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_the_definition_pixel_by_pixel() -> None:
    """One output of one channel: each tap reads four pixels around its position; outside the image is zero."""
    module, x = made(groups=2, modulation="half", stride=2), noise(1, *IMAGE)
    with torch.no_grad():
        given = module.offset(x)
        out = module(x)
    for row, column in [(0, 0), (1, 2), (3, 1)]:
        total = torch.zeros(6, dtype=torch.float64)
        for channel in range(4):
            group = channel // 2
            for tap in range(9):
                at = 2 * (9 * group + tap)
                y = 2 * row - 1 + tap // 3 + float(given[0, at, row, column])
                x_ = 2 * column - 1 + tap % 3 + float(given[0, at + 1, row, column])
                mask = torch.sigmoid(given[0, 36 + 9 * group + tap, row, column])
                total += (
                    module.weight[:, channel].flatten(1)[:, tap].detach() * _read(x[0, channel], y, x_) * mask
                )
        torch.testing.assert_close(out[0, :, row, column], total, rtol=0, atol=1e-10)


def _read(image: Tensor, y: float, x: float) -> float:
    total = 0.0
    for py in (math.floor(y), math.floor(y) + 1):
        for px in (math.floor(x), math.floor(x) + 1):
            if 0 <= py < image.shape[0] and 0 <= px < image.shape[1]:
                total += float(image[py, px]) * (1 - abs(y - py)) * (1 - abs(x - px))
    return total


@pytest.mark.parametrize(("modulation", "share"), [("none", 1.0), ("unit", 1.0), ("half", 0.5)])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (2, 2)])
def test_it_starts_as_the_plain_convolution_or_half_of_it(
    stride: int, dilation: int, modulation: str, share: float
) -> None:
    module = made(moved=False, stride=stride, dilation=dilation, modulation=modulation)
    x = noise(2, *IMAGE)
    plain = F.conv2d(x, module.weight, None, stride, dilation, dilation)
    torch.testing.assert_close(module(x), share * plain, rtol=0, atol=1e-12)
    assert not any(p.count_nonzero() for p in module.offset.parameters())


@pytest.mark.parametrize(("modulation", "each"), [("none", 18), ("unit", 27), ("half", 27)])
@pytest.mark.parametrize(("asked", "groups"), [(1, 1), (2, 2), (4, 4), (6, 2), (3, 1)])
def test_groups_are_reduced_to_what_divides_the_channels(
    asked: int, groups: int, modulation: str, each: int
) -> None:
    module = made(groups=asked, modulation=modulation)
    assert module.offset.out_channels == each * groups


def test_the_rate_scales_the_gradients_of_the_offsets_and_no_others() -> None:
    plain, slow = made(modulation="unit"), made(modulation="unit", rate=0.1)
    inputs = []
    for module in (plain, slow):
        inputs.append(noise(2, *IMAGE).requires_grad_())
        module(inputs[-1]).sin().sum().backward()
    for (name, ours), theirs in zip(slow.named_parameters(), plain.parameters(), strict=True):
        scale = 0.1 if "offset" in name else 1.0
        torch.testing.assert_close(ours.grad, scale * theirs.grad, rtol=0, atol=1e-12)  # type: ignore[operator]
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=0, atol=1e-12)


def test_offsets_leave_the_start() -> None:
    module = made(moved=False).float()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    module(noise(2, *IMAGE).float()).sin().sum().backward()
    optimizer.step()
    assert all(p.count_nonzero() == p.numel() for p in module.offset.parameters())


def test_places_are_kept_in_float32_under_autocast() -> None:
    """In bfloat16 a position beyond pixel 128 would be wrong by up to half a pixel."""
    shape = Shape(2, 3, 300)
    module = made(shape=shape, moved=False).float()
    with torch.no_grad():
        module.offset.bias.fill_(0.5)  # type: ignore[union-attr]
    x = torch.linspace(0, 1, 300).expand(1, *shape).contiguous()
    exact = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = module(x)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.02, atol=0.02)


# the compiler of torch 2.13 makes an instance of an autograd function
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should:DeprecationWarning")
@pytest.mark.parametrize("modulation", ["none", "unit"])
def test_copies_and_compiled_forms_are_alike(modulation: str) -> None:
    module, x = made(modulation=modulation, groups=2, rate=0.5), noise(2, *IMAGE).requires_grad_()
    out = module(x)
    twins: list[Any] = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
    twins.append(torch.compile(module, backend="aot_eager", fullgraph=True))
    for twin in twins:
        again = twin(x)
        torch.testing.assert_close(again, out, rtol=0, atol=1e-12)
        own = [x, *twin.parameters()]
        for a, b in zip(
            torch.autograd.grad(again.sum(), own), torch.autograd.grad(module(x).sum(), [x, *module.parameters()]),
            strict=True,
        ):  # fmt: skip
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
