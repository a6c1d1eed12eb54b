"""active against a slow gather, tap by tap, and against torchvision's kernel with constant offsets."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.ops import deform_conv2d

import genome
from genome.axes import area, axes
from genome.op import Op, Shape
from genome.ops._active import Active, Rule, Watch
from tests.pairwise import pairs

IMAGE = Shape(4, 7, 6)
TRUE = {"normalize": False, "rate": 1.0, "warmup": 0}  # with these genes the gradient is the derivative
LATTICE = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]


def made(width: int = 6, shape: Shape = IMAGE, **genes: Any) -> Active:
    op: Op = genome.lookup("active")(order="conv", **genes)
    torch.manual_seed(0)
    module = op.build([shape], op.shape([shape], width)).double()
    assert isinstance(module, Active)
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def worker_devices(module: Active) -> Tensor:
    """Return (dy, dx) of every tap of every group, including the centre. (groups, K, 2)"""
    taps = module.position.view(module.groups, -1, 2)
    centre = taps.shape[1] // 2
    return torch.cat([taps[:, :centre], torch.zeros_like(taps[:, :1]), taps[:, centre:]], dim=1)


def gathered(x: Tensor, module: Active) -> Tensor:
    """Compute the definition: each tap reads four pixels at each output, one at a time; outside the image is zero."""
    batch, _, height, width = x.shape
    stride, outputs, groups = module.stride, module.weight.shape[0], module.groups
    weight = module.weight.flatten(2).view(groups, outputs // groups, -1, area(module.kernel))
    total = []
    for taps, part in zip(worker_devices(module), weight, strict=True):
        out = x.new_zeros(batch, part.shape[0], -(-height // stride[0]), -(-width // stride[1]))
        for k, (dy, dx) in enumerate(taps):
            iy, ix = int(dy.detach().floor()), int(dx.detach().floor())
            fy, fx = dy - iy, dx - ix
            for at_y, share_y in ((iy, 1 - fy), (iy + 1, fy)):
                for at_x, share_x in ((ix, 1 - fx), (ix + 1, fx)):
                    out = out + torch.einsum(
                        "bchw,oc->bohw", _pixels(x, at_y, at_x, stride), part[..., k]
                    ) * (share_y * share_x)
        total.append(out)
    bias = 0 if module.bias is None else module.bias.view(-1, 1, 1)
    return torch.cat(total, dim=1) + bias


def _pixels(x: Tensor, dy: int, dx: int, stride: tuple[int, int]) -> Tensor:
    """Return the pixel at (dy, dx) from each output's position; zero outside the image."""
    far = 9
    padded = F.pad(x, (far, far, far, far))
    height, width = x.shape[2:]
    return padded[:, :, far + dy : far + dy + height : stride[0], far + dx : far + dx + width : stride[1]]


def deformed(x: Tensor, module: Active) -> Tensor:
    """Compute by torchvision's kernel, with the same offsets at every pixel; one call per group of outputs."""
    stride = module.stride
    steps = [torch.arange(-(size // 2), size // 2 + 1, dtype=x.dtype) for size in module.kernel]
    start = torch.stack(torch.meshgrid(*steps, indexing="ij"), dim=-1).view(-1, 2)
    size = [
        (n + 2 * pad - kernel) // step + 1
        for n, step, pad, kernel in zip(x.shape[2:], stride, module.padding, module.kernel, strict=True)
    ]
    outs = []
    for taps, weight in zip(worker_devices(module), module.weight.chunk(module.groups), strict=True):
        offset = (taps - start).view(1, -1, 1, 1).expand(x.shape[0], -1, *size)
        outs.append(deform_conv2d(x, offset, weight, None, stride, module.padding))
    bias = 0 if module.bias is None else module.bias.view(-1, 1, 1)
    return torch.cat(outs, dim=1) + bias


def gradients(out: Tensor, x: Tensor, module: nn.Module) -> list[Tensor]:
    return [*torch.autograd.grad(out, [x, *module.parameters()], noise(*out.shape, seed=2))]


def scatter(module: Active, how: str) -> None:
    """Put the taps in general position, on pixels far out, or some on each."""
    with torch.no_grad():
        position = module.position
        if how != "start":
            position += 0.6 * noise(position.numel(), seed=3)
        if how == "lattice":
            position.round_()
        if how == "mixed":
            position[::3] = position[::3].round()
        for axis, bound in zip(position.view(-1, 2).unbind(1), module.bound, strict=True):
            axis.clamp_(-bound, bound - 0.01)


@pytest.mark.parametrize(
    ("kernel", "groups", "shape", "stride", "padding", "how"),
    pairs(
        [(3, 1, IMAGE), (5, 2, IMAGE), (3, 2, Shape(4, 1, 3)), (7, 1, Shape(2, 3, 9)), ((1, 3), 2, IMAGE)],
        [1, 2, 8, (2, 1)],
        [0, 1, 2, 3, 5, 64],
        ["start", "apart", "lattice", "mixed"],
    ),
)
def test_any_padding(kernel: Any, groups: int, shape: Shape, stride: Any, padding: int, how: str) -> None:
    if any(n + 2 * padding < size for n, size in zip(shape[1:], axes(kernel), strict=True)):
        return
    module = made(shape=shape, kernel=kernel, stride=stride, groups=groups, padding=padding, **TRUE)
    scatter(module, how)
    x = noise(2, *shape).requires_grad_()
    out, expected = module(x), deformed(x, module)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(gradients(out, x, module), gradients(expected, x, module), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    widest = module._dense(x, module.position, module._widest())  # as on a GPU
    torch.testing.assert_close(widest, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("kernel", "groups", "shape", "stride", "how", "reference"),
    pairs(
        [
            (3, 1, IMAGE),
            (3, 2, IMAGE),
            (5, 3, IMAGE),
            (3, 2, Shape(2, 1, 1)),
            (3, 1, Shape(2, 2, 9)),
            (7, 1, Shape(1, 3, 4)),
            ((1, 3), 2, IMAGE),
            ((5, 1), 1, Shape(2, 6, 1)),
        ],
        [1, 2, 3, (1, 2)],
        ["start", "apart", "lattice", "mixed"],
        [gathered, deformed],
    ),
)
def test_outputs_and_all_gradients_are_the_definitions(
    kernel: Any, groups: int, shape: Shape, stride: int, how: str, reference: Any
) -> None:
    module = made(shape=shape, kernel=kernel, groups=groups, stride=stride, bias=True, **TRUE)
    scatter(module, how)
    x = noise(3, *shape).requires_grad_()
    expected = reference(x, module)
    out = module(x)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(gradients(out, x, module), gradients(expected, x, module), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(x), expected, rtol=0, atol=1e-10)


def test_the_widest_box_gives_the_same() -> None:
    """This path runs where the host cannot read the positions."""
    for stride, shape in [(1, IMAGE), (2, IMAGE), (2, Shape(2, 2, 1)), (1, Shape(2, 1, 1))]:
        module = made(shape=shape, stride=stride, **TRUE)
        scatter(module, "mixed")
        x = noise(2, *shape).requires_grad_()
        position = Rule.apply(module.position, module.bound, 1.0, False)
        out, expected = module._dense(x, position, module._widest()), gathered(x, module)
        torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
        for ours, theirs in zip(gradients(out, x, module), gradients(expected, x, module), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_it_starts_as_the_plain_convolution_without_a_cell_more() -> None:
    module, x = made(), noise(2, *IMAGE)
    expected = F.conv2d(x, module.weight, padding=1)
    with Kernels() as seen:
        for training in (True, False):
            assert torch.equal(module.train(training)(x), expected)
    assert seen.sizes == [(3, 3), (3, 3)]


class Kernels(TorchDispatchMode):
    """Records the sizes of all kernels of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.sizes.append(tuple(args[1].shape[2:]))
        return func(*args, **(kwargs or {}))


def test_the_kernel_grows_with_the_taps_and_not_past_the_image() -> None:
    module, x = made(warmup=0), noise(2, *IMAGE)
    with Kernels() as seen:
        module(x)  # each tap may move to its right
        with torch.no_grad():
            module.position[0] = -1.5
        module(x)
        made(warmup=0, kernel=7, shape=Shape(4, 2, 2))(noise(2, 4, 2, 2))
    assert seen.sizes == [(4, 4), (5, 4), (3, 3)]


# --- the positions


@pytest.mark.parametrize(
    ("kernel", "groups", "numbers"), [(3, 1, 16), (3, 2, 32), (5, 1, 48), (3, 4, 32), ((1, 5), 2, 16)]
)
def test_positions_are_one_flat_parameter_without_the_centre(kernel: Any, groups: int, numbers: int) -> None:
    module = made(kernel=kernel, groups=groups)  # of 6 outputs: 4 groups become 2
    assert module.position.shape == (numbers,)
    if kernel == 3:
        assert [tuple(p) for p in module.position.view(-1, 2)[:8].tolist()] == [p for p in LATTICE if any(p)]


def test_one_tap_has_no_position() -> None:
    op = genome.lookup("active")(order="conv", kernel=1, stride=2)
    module = op.build([IMAGE], op.shape([IMAGE], 6))
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    assert op.cost([IMAGE], Shape(6, 4, 3)).weights == 24
    assert op == op.having(groups=2, rate=0.5, warmup=7, normalize=False)


def test_the_taps_of_a_row_leave_it_by_a_pixel_and_go_no_further_out() -> None:
    module = made(kernel=(1, 3), warmup=0, rate=1.0, normalize=False)
    with torch.no_grad():
        module.position.copy_(torch.tensor([9.0, -9.0, -1.0, 2.0]))
    clamped = Rule.apply(module.position, module.bound, 1.0, False)
    assert clamped.tolist() == [1, -2, -1, 2]
    (grad,) = torch.autograd.grad(clamped, module.position, torch.tensor([-1.0, 1, 1, -1]).double())
    assert grad.tolist() == [
        0,
        0,
        1,
        0,
    ]  # -1 itself is inside, where the derivative is that of the right side
    assert genome.lookup("active")(kernel=(1, 3)).cost([IMAGE], Shape(6, 7, 6)).weights == 3 * 24 + 2 * 2


def test_the_published_network_has_its_numbers() -> None:
    """Eight layers of the plain CIFAR net have 855,162 learned numbers and 96 effective coordinates."""
    widths = [(16, 1), (48, 3), (48, 3), (96, 3), (96, 3), (192, 3), (192, 3), (1000, 1)]
    before, total = 3, 0
    for width, kernel in widths:
        op = genome.lookup("active")(kernel=kernel)
        cost = op.cost([Shape(before, 32, 32)], Shape(width, 32, 32))
        total += cost.weights + cost.norms
        before = width
    assert total + 10_010 == 855_162 + 96


@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_the_gradient_is_the_direction_of_the_true_one_times_the_rate(rate: float) -> None:
    x = noise(2, *IMAGE)
    x[:, :, :, 0] = x[:, :, 0] = 0  # borders
    true, ours = made(groups=2, **TRUE), made(groups=2, warmup=0, rate=rate)
    with torch.no_grad():
        for module in (true, ours):
            module.weight[:3, :, 0, 0] = 0  # a tap that no output depends on has a gradient of exactly 0
    for module in (true, ours):
        scatter(module, "apart")
        module(x).sin().sum().backward()
    given, expected = (m.position.grad.view(-1, 2) for m in (ours, true))  # type: ignore[union-attr]
    length = expected.norm(dim=1, keepdim=True)
    assert (length == 0).sum() == 1
    torch.testing.assert_close(
        given, rate * torch.where(length > 0, expected / length, 0.0), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(ours.weight.grad, true.weight.grad, rtol=0, atol=0)


def test_a_step_of_sgd_is_as_long_as_the_learning_rate_times_the_rate() -> None:
    module = made(warmup=0, rate=0.01).float()
    before = module.position.detach().clone()
    module(noise(2, *IMAGE).float() * 1e-25).sum().backward()  # squares of these gradients would underflow
    torch.optim.SGD(module.parameters(), lr=0.1).step()
    lengths = (module.position.detach() - before).view(-1, 2).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 1e-3), rtol=1e-3, atol=0)


def test_taps_stay_within_reach_and_can_come_back() -> None:
    module, x = made(**TRUE), noise(2, *IMAGE)
    with torch.no_grad():
        module.position[:4] = torch.tensor([5.0, 2.0, -5.0, -2.0])
    moved = copy.deepcopy(module)
    with torch.no_grad():
        moved.position[:4] = torch.tensor([2.0, 2.0, -2.0, -2.0])
    torch.testing.assert_close(module(x), moved(x), rtol=0, atol=1e-12)
    for sign in (1, -1):
        module.zero_grad()
        (sign * module(x)).sum().backward()
        grad = module.position.grad
        assert grad is not None and grad[0] >= 0 and grad[1] >= 0 and grad[2] <= 0  # never further out
    assert module.position.grad.count_nonzero() > 12  # type: ignore[union-attr]


# --- the warm-up


def stepped(module: nn.Module, times: int = 1) -> None:
    """Take steps of SGD."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for i in range(times):
        optimizer.zero_grad()
        module(noise(2, *IMAGE, seed=i)).sin().sum().backward()
        optimizer.step()


def test_positions_are_frozen_for_as_many_training_forwards_as_asked() -> None:
    module = made(warmup=3)
    module.eval()(noise(2, *IMAGE))
    module.train()
    with torch.no_grad():
        module(noise(2, *IMAGE))  # no training step
    with Kernels() as seen:
        stepped(module, 3)
    assert torch.equal(module.position, module.lattice) and int(module.steps) == 3
    assert set(seen.sizes) == {(3, 3)}
    assert torch.equal(module.position.grad, torch.zeros(16).double())  # type: ignore[arg-type]
    stepped(module, 4)
    assert not torch.equal(module.position, module.lattice)
    assert int(module.steps) == 3  # the count stops here


def test_a_frozen_tap_that_was_moved_is_used_where_it_is() -> None:
    module, x = made(warmup=3), noise(2, *IMAGE)
    scatter(module, "apart")
    out = module(x)
    torch.testing.assert_close(out, gathered(x, module), rtol=0, atol=1e-12)
    out.sum().backward()
    assert torch.equal(module.position.grad, torch.zeros(16).double())  # type: ignore[arg-type]


def test_no_rate_never_moves_a_tap() -> None:
    module = made(warmup=0, rate=0.0)
    with Kernels() as seen:
        stepped(module, 2)
    assert torch.equal(module.position, module.lattice) and set(seen.sizes) == {(3, 3)}


@pytest.mark.parametrize("way", ["state", "deepcopy", "pickle"])
def test_the_warm_up_goes_on_where_it_was(way: str) -> None:
    module = made(warmup=4)
    stepped(module, 3)
    match way:
        case "state":
            twin = made(warmup=4)
            twin.load_state_dict(module.state_dict())
            assert sorted(module.state_dict()) == ["position", "steps", "weight"]
        case "deepcopy":
            twin = copy.deepcopy(module)
        case _:
            twin = pickle.loads(pickle.dumps(module))
    for one in (module, twin):
        stepped(one, 1)
        assert torch.equal(one.position, one.lattice)
        stepped(one, 1)
        assert not torch.equal(one.position, one.lattice)
    assert torch.equal(module.position, twin.position)


def test_a_state_loaded_between_steps_is_seen() -> None:
    module, moved = made(warmup=0), made(warmup=0)
    scatter(moved, "apart")
    x = noise(2, *IMAGE)
    module.eval()(x)
    module.load_state_dict(moved.state_dict())
    assert torch.equal(module(x), moved.eval()(x))


def test_the_passes_of_a_loop_share_positions_and_count() -> None:
    text = """
genome: loop
input: [3, 8, 8]
classes: 2
nodes:
  stem: {op: conv, in: [image], width: 4}
  a: {op: conv, in: [stem, b], width: 4}
  b: {op: active, in: [a], width: 4, warmup: 3}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b], passes: 1}
"""
    plan = genome.resolve(genome.loads(text))
    module = genome.build(plan)
    assert plan.params == sum(p.numel() for p in module.parameters())
    kernels = [m for m in module.modules() if isinstance(m, Active)]
    assert len(kernels) == 2 and kernels[0].position is kernels[1].position
    for passes in (2, 3):
        module(torch.randn(2, 3, 8, 8))
        assert int(kernels[0].steps) == int(kernels[1].steps) == passes


def test_a_compiled_module_freezes_counts_and_learns_alike() -> None:
    eager, twin = made(warmup=2, bias=True), made(warmup=2, bias=True)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    for step in range(4):
        stepped(eager)
        stepped(compiled)
        assert int(twin.steps) == int(eager.steps) == min(step + 1, 2)
        torch.testing.assert_close(twin.position, eager.position, rtol=0, atol=1e-10)
        assert torch.equal(eager.position, eager.lattice) == (step < 2)
    x = noise(2, *IMAGE)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(twin.eval(), backend="aot_eager")(x), eager.eval()(x))


def test_functional_transforms() -> None:
    module, x = made(**TRUE), noise(3, *IMAGE)
    weights = {name: p.detach() for name, p in module.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(module, weights, (x,)).sin().sum()  # type: ignore[no-any-return]

    grads = torch.func.grad(loss)(weights, x)
    module(x).sin().sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(grads[name], p.grad, rtol=0, atol=1e-12)
    # of each image alone
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x[:, None])
    for name, grad in grads.items():
        torch.testing.assert_close(each[name].sum(0), grad, rtol=0, atol=1e-12)


# --- what the layer asks of an accelerator


def test_frozen_positions_are_seldom_read_from_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    equal = torch.equal

    def counted(a: Tensor, b: Tensor) -> bool:
        nonlocal reads
        reads += 1
        return equal(a, b)

    monkeypatch.setattr(torch, "equal", counted)
    start, position, watch = torch.ones(4), torch.ones(4), Watch()
    for _ in range(1_000):
        assert watch.at(position, start, frozen=True)
        position += 0  # the step of an optimizer with a gradient of zero
    assert reads < 15
    position[0] = 2.0  # a change by hand, without the optimizer
    position += 0
    assert not watch.at(position, start, frozen=True)
    position[0] = 1.0
    assert watch.at(position, start, frozen=False)
    before = reads
    assert watch.at(position, start, frozen=False) and reads == before
    assert not watch.at(torch.zeros(4), start, frozen=False)


def test_moved_taps_under_autocast() -> None:
    """The coefficients are computed in float32: only the kernel is rounded, as in any convolution."""
    module = made(warmup=0).float()
    scatter(module, "apart")
    x = noise(2, *IMAGE).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = module(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), module(x), rtol=0.05, atol=0.05)
    out.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
