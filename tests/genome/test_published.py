"""Small instances of the published networks against their formulas in plain torch, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model

import genome
from genome import Genome, zoo
from genome.network import Network
from genome.ops._kernels import Kernels


class Norm(NamedTuple):
    """The numbers of a batch norm."""

    mean: Tensor
    variance: Tensor
    scale: Tensor
    shift: Tensor

    @staticmethod
    def of(module: nn.Module) -> Norm:
        assert isinstance(module, nn.BatchNorm2d)
        mean, variance = module.running_mean, module.running_var
        assert mean is not None and variance is not None
        if module.weight is None:
            return Norm(mean, variance, torch.ones_like(mean), torch.zeros_like(mean))
        return Norm(mean, variance, module.weight, module.bias)

    @staticmethod
    def joined(norms: Iterable[Norm]) -> Norm:
        """Return the norm of a concatenation."""
        return Norm(*(torch.cat(parts) for parts in zip(*norms, strict=True)))


class Parts:
    """The weights of a network by the names of its nodes, and the formulas that use them."""

    def __init__(self, net: Network) -> None:
        self.net = net

    def node(self, name: str, turn: int = 0) -> nn.Module:
        return self.net.node(name, turn)

    def kernel(self, name: str, at: int = 0) -> nn.Module:
        """Return a convolution of a node."""
        return [m for m in self.node(name).modules() if isinstance(m, nn.Conv2d | Kernels)][at]

    def norms(self, name: str, turn: int = 0) -> list[Norm]:
        """Return the batch norms of a node."""
        return [Norm.of(m) for m in self.node(name, turn).modules() if isinstance(m, nn.BatchNorm2d)]

    def masks(self, name: str) -> Tensor:
        (found,) = (b for key, b in self.node(name).named_buffers() if key.endswith("masks"))
        return found

    def linear(self, name: str = "out") -> nn.Linear:
        (found,) = (m for m in self.node(name).modules() if isinstance(m, nn.Linear))
        return found

    def conv(self, x: Tensor, name: str, stride: int = 1, at: int = 0, padding: int | None = None) -> Tensor:
        kernel = self.kernel(name, at)
        weight, bias = kernel.weight, kernel.bias
        assert isinstance(weight, Tensor)
        pad = weight.shape[2] // 2 if padding is None else padding
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, bias, stride, pad, groups=groups)  # type: ignore[arg-type]

    def bn(self, x: Tensor, norm: Norm, eps: float = 1e-5) -> Tensor:
        mean, variance = norm.mean, norm.variance
        if self.net.training:
            mean = x.mean(dim=(0, 2, 3))
            variance = ((x - mean.view(-1, 1, 1)) ** 2).mean(dim=(0, 2, 3))
        mean, variance, scale, shift = (v.view(-1, 1, 1) for v in (mean, variance, *norm[2:]))
        return (x - mean) / torch.sqrt(variance + eps) * scale + shift

    def cbr(self, x: Tensor, name: str, stride: int = 1, padding: int | None = None) -> Tensor:
        """Apply convolution, norm, relu."""
        return F.relu(self.bn(self.conv(x, name, stride, padding=padding), self.norms(name)[0]))

    def classified(self, vector: Tensor, name: str = "out") -> Tensor:
        layer = self.linear(name)
        return vector @ layer.weight.T + layer.bias


Reference = Callable[[Parts, Tensor], "Tensor | tuple[Tensor, ...]"]


def network(found: Genome) -> Network:
    """Return the network in float64, with biases, norms and statistics changed from the start, without dropout."""
    net = genome.build(found).double()
    numbers = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            assert module.p > 0
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in zip(Norm.of(module), (-0.5, 0.5, 0.5, -0.5), strict=True):
                tensor.data.uniform_(low, low + 1.0, generator=numbers)
        elif isinstance(bias := getattr(module, "bias", None), Tensor):
            bias.data.uniform_(-0.5, 0.5, generator=numbers)
    return net


def same(found: Genome, reference: Reference, batch: int = 3) -> None:
    """Check that the network and its formula give the same logits, in inference and then in training."""
    net = network(found)
    numbers = torch.Generator().manual_seed(2)
    image = torch.randn(batch, *found.input, dtype=torch.float64, generator=numbers)
    for training in (False, True):
        net.train(training)
        with torch.no_grad():
            wanted = reference(Parts(net), image)
            for ours, theirs in zip(
                net(image), [wanted] if isinstance(wanted, Tensor) else wanted, strict=True
            ):
                torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def average(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


# --- CliqueNet: section 3 of the paper, the orders of the authors' code


class CliqueBlock:
    """One block: X_j(1) = g(X0, X_1(1)..X_j-1(1)), X_j(2) = g(X_i(2) for i < j, X_i(1) for i > j)."""

    def __init__(
        self, parts: Parts, name: str, layers: int, width: int, eps: float, bottleneck: bool
    ) -> None:
        self.parts, self.name, self.layers, self.width, self.eps = parts, name, layers, width, eps
        self.bottleneck = bottleneck
        self.edges = "/in" if bottleneck else ""

    def weight(self, i: int, j: int) -> Tensor:
        """Return W_ij, the filter from node i (0 is the input) to node j."""
        packed = self.parts.kernel(f"{self.name}/{j}{self.edges}").weight
        assert isinstance(packed, Tensor)
        if i == 0:
            return packed[:, : self.outside]
        start = self.outside + (i - 1 - (i > j)) * self.width
        return packed[:, start : start + self.width]

    def g(self, j: int, sources: dict[int, Tensor], stage: int) -> Tensor:
        parts, node = self.parts, f"{self.name}/{j}"
        order = sorted(sources)
        x = torch.cat([sources[i] for i in order], dim=1)
        weight = torch.cat([self.weight(i, j) for i in order], dim=1)
        x = F.relu(parts.bn(x, parts.norms(f"{node}{self.edges}", stage)[0], self.eps))
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        if self.bottleneck:
            x = parts.conv(F.relu(parts.bn(x, parts.norms(node, stage)[0], self.eps)), node)
        return x

    def __call__(self, x0: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nodes after stage I, and after stage II if the block has one."""
        nodes, self.outside = range(1, self.layers + 1), x0.shape[1]
        first: dict[int, Tensor] = {}
        for j in nodes:
            first[j] = self.g(j, {0: x0, **first}, 0)
        second = dict(first)
        if (f"{self.name}/1", 1) in self.parts.net._names:
            for j in nodes:
                second[j] = self.g(j, {i: second[i] for i in nodes if i != j}, 1)
        return torch.cat([*first.values()], dim=1), torch.cat([*second.values()], dim=1)


@pytest.mark.parametrize(
    ("attention", "bottleneck", "compression", "variant"),
    [
        (False, False, False, "II+II"),
        (True, False, True, "II+II"),
        (True, True, True, "II+II"),
        (False, False, False, "I+I"),
        (False, False, False, "I+II"),
        (False, True, True, "I+II"),
    ],
)
def test_cliquenet(attention: bool, bottleneck: bool, compression: bool, variant: str) -> None:
    eps, k, layers = 1e-3, 4, 3
    found = zoo.cliquenet(
        k, 6 * layers if bottleneck else 3 * layers, attention, bottleneck, compression, variant, (3, 8, 8)
    )

    def reference(parts: Parts, image: Tensor) -> Tensor:
        def bn_relu(x: Tensor, norm: Norm) -> Tensor:
            return F.relu(parts.bn(x, norm, eps))

        x = parts.conv(image, "stem")
        heads = iter(parts.norms("out"))
        vectors = []
        for b in (1, 2, 3):
            first, last = CliqueBlock(parts, f"b{b}", layers, k, eps, bottleneck)(x)
            feature = torch.cat([x, last if variant == "II+II" else first], dim=1)
            if compression:
                feature = parts.conv(bn_relu(feature, parts.norms(f"f{b}")[0]), f"f{b}")
                assert feature.shape[1] == (x.shape[1] + layers * k) // 2
                head = next(heads)
            else:
                head = Norm.joined([next(heads), next(heads)])
            vectors.append(average(bn_relu(feature, head)))
            if b == 3:
                break
            x = parts.conv(bn_relu(last, parts.norms(f"t{b}")[0]), f"t{b}")
            if attention:
                down, up = (m for m in parts.node(f"a{b}").modules() if isinstance(m, nn.Linear))
                assert down.out_features == x.shape[1] // 2
                s = F.relu(average(x) @ down.weight.T + down.bias) @ up.weight.T + up.bias
                x = x * torch.sigmoid(s)[:, :, None, None]
            x = F.avg_pool2d(x, 2)
        return parts.classified(torch.cat(vectors, dim=1))

    same(found, reference)


# --- FractalNet: f_1(z) = conv(z); f_C+1(z) = (f_C o f_C)(z) joined with conv(z)


@pytest.mark.parametrize("form", ["official", "port"])
@pytest.mark.parametrize("columns", [1, 3])
def test_fractalnet(form: str, columns: int) -> None:
    found = zoo.fractalnet(columns, (4, 6), (0.1, 0.2), 0.15, form, (3, 8, 8))

    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = image
        for b in (1, 2):
            done = [0] * columns  # convolutions so far in each column

            def conv(z: Tensor, deep: int, b: int = b, done: list[int] = done) -> Tensor:
                """Apply the convolution of the column beside f of `deep` columns."""
                column = columns - deep
                done[column] += 1
                return parts.cbr(z, f"b{b}/c{column + 1}.{done[column]}")

            def f(z: Tensor, deep: int, conv: Callable[[Tensor, int], Tensor] = conv) -> list[Tensor]:
                """Return the inputs of the last join of f of `deep` columns: joins at one place are one mean."""
                beside = conv(z, deep)
                if deep == 1:
                    return [beside]
                return [beside, *f(torch.stack(f(z, deep - 1)).mean(0), deep - 1)]

            ends = f(x, columns)
            assert len(ends) == columns and done == [2**c for c in range(columns)]
            if form == "official":
                x = torch.stack([F.max_pool2d(end, 2) for end in ends]).mean(0)
            else:
                x = F.max_pool2d(torch.stack(ends).mean(0), 2)
        return parts.classified(x.flatten(1))

    net = network(found)
    affine = [m.affine for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    biased = [m.bias is not None for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert set(affine) == {form == "port"} and set(biased) == {form == "official"}
    if columns == 1:
        same(found, reference)
        return
    # a join drops paths in training, so the comparison leaves drop-path out
    same(zoo.fractalnet(columns, (4, 6), (0.1, 0.2), 0.0, form, (3, 8, 8)), reference)
    net.eval()
    image = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(net(image)[0], reference(Parts(net), image))


# --- PyramidNet: no relu at a unit's start or end, zero channels at the end, pooled shortcuts


@pytest.mark.parametrize(("block", "depth"), [("basic", 8), ("bottleneck", 20)])
def test_pyramidnet(block: str, depth: int) -> None:
    found = zoo.pyramidnet(depth, 9, block=block, input=(3, 9, 7))  # odd sides: the shortcut's pool rounds up
    units = (depth - 2) // (6 if block == "basic" else 9)

    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = parts.bn(parts.conv(image, "stem"), parts.norms("stem")[0])
        for stage in (1, 2, 3):
            for unit in range(1, units + 1):
                stride = 2 if stage > 1 and unit == 1 else 1
                name = f"s{stage}.{unit}"
                before, after = parts.norms(f"{name}/conv1")
                strides = (stride, 1) if block == "basic" else (1, stride, 1)
                y = parts.conv(parts.bn(x, before), f"{name}/conv1", strides[0])
                norms = [after, *(parts.norms(f"{name}/conv{i}")[0] for i in range(2, len(strides) + 1))]
                for i, (norm, step) in enumerate(zip(norms, strides[1:], strict=False), start=2):
                    y = parts.conv(F.relu(parts.bn(y, norm)), f"{name}/conv{i}", step)
                y = parts.bn(y, norms[-1])
                shortcut = F.avg_pool2d(x, 2, 2, ceil_mode=True) if stride == 2 else x
                zeros = torch.zeros(len(x), y.shape[1] - x.shape[1], *y.shape[2:], dtype=x.dtype)
                x = y + torch.cat([shortcut, zeros], dim=1)
        return parts.classified(average(F.relu(parts.bn(x, parts.norms("out")[0]))))

    same(found, reference)
    assert found.widths is not None
    total = 3 * units
    widths = [round(16 + 9 * k / total) for k in range(1, total + 1)]
    plan = genome.resolve(found)
    made = [
        plan.steps[plan.last[f"s{s}.{u}/conv1"]].info.out[0] for s in (1, 2, 3) for u in range(1, units + 1)
    ]
    assert made == widths


# --- PNN: the units of the authors' code, z = conv1x1(BN(relu(x + N)))


@pytest.mark.parametrize(("depth", "stem"), [(18, 3), (18, 7), (50, 3)])
def test_pnn(depth: int, stem: int) -> None:
    level, width = 0.3, 2
    found = zoo.pnn_resnet(depth, width, stem, level=level, input=(3, 8, 8))
    stages = (2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3)

    def reference(parts: Parts, image: Tensor) -> Tensor:
        def layer(x: Tensor, name: str) -> Tensor:
            (masks,) = (b for key, b in parts.node(name).named_buffers() if key.endswith("masks"))
            assert masks.shape[-3:] == x.shape[1:] and masks.abs().max() <= level
            x = F.relu(x + masks.reshape(1, *x.shape[1:]))
            return parts.conv(parts.bn(x, parts.norms(name)[0]), name)

        def shrunk(x: Tensor, stride: int) -> Tensor:
            return F.max_pool2d(x, stride, stride)

        def basic(x: Tensor, name: str, stride: int) -> Tensor:
            y = shrunk(layer(x, f"{name}/perturb1"), stride)
            y = F.relu(parts.bn(y, parts.norms(f"{name}/act1")[0]))
            return parts.bn(layer(y, f"{name}/perturb2"), parts.norms(f"{name}/norm2")[0])

        def bottleneck(x: Tensor, name: str, stride: int) -> Tensor:
            y = shrunk(layer(parts.cbr(x, f"{name}/conv1"), f"{name}/perturb2"), stride)
            y = F.relu(parts.bn(y, parts.norms(f"{name}/act2")[0]))
            return parts.bn(parts.conv(y, f"{name}/conv3"), parts.norms(f"{name}/conv3")[0])

        x = parts.cbr(image, "stem", 2 if stem == 7 else 1)
        if stem == 7:
            x = F.max_pool2d(x, 3, 2, 1)
        for i, units in enumerate(stages):
            for j in range(units):
                name, stride = f"s{i + 1}.{j + 1}", 2 if i and not j else 1
                # a pool of a map of one pixel returns the map, where torch would refuse
                step = min(stride, x.shape[2])
                y = (basic if depth == 18 else bottleneck)(x, name, step)
                shortcut = x
                if y.shape != x.shape:
                    shortcut = parts.bn(parts.conv(x, f"{name}/add", step), parts.norms(f"{name}/add")[0])
                x = F.relu(y + shortcut)
        return parts.classified(average(x))

    same(found, reference)


@pytest.mark.parametrize(("stem", "masks", "mixed"), [(3, 1, False), (3, 3, True), (0, 2, False)])
def test_pnn_of_the_re_implementation(stem: int, masks: int, mixed: bool) -> None:
    level = 0.3
    found = zoo.pnn_resnet(18, 6, stem, "perturb", level, masks, mixed=mixed, input=(3, 8, 8))

    def reference(parts: Parts, image: Tensor) -> Tensor:
        def layer(x: Tensor, name: str, use_act: bool = True) -> Tensor:
            """Compute act(BN(Conv1x1(act(x + N)))), with the maps of each channel mixed apart."""
            (noise,) = (b for key, b in parts.node(name).named_buffers() if key.endswith("masks"))
            assert noise.shape == (masks, *x.shape[1:])
            y = x[:, :, None] + noise.transpose(0, 1)
            y = (F.relu(y) if use_act else y).reshape(len(x), -1, *x.shape[2:])
            kernel = parts.kernel(name)
            assert isinstance(kernel, nn.Conv2d) and kernel.groups == (x.shape[1] if masks > 1 else 1)
            return parts.cbr(y, name)

        x = layer(image, "stem", use_act=False) if stem == 0 else parts.cbr(image, "stem")
        for i in range(4):
            for j in range(2):
                name, stride = f"s{i + 1}.{j + 1}", 2 if i and not j else 1
                y = x
                for half in (1, 2):
                    y = layer(y, f"{name}/perturb{half}")
                    y = parts.cbr(y, f"{name}/mix{half}") if mixed else y
                    y = F.max_pool2d(y, stride, stride) if half == 1 else y
                shortcut = x
                if y.shape != x.shape:
                    shortcut = parts.bn(parts.conv(x, f"{name}/add", stride), parts.norms(f"{name}/add")[0])
                x = F.relu(y + shortcut)
        return parts.classified(average(x))

    same(found, reference)


def test_pnn_of_the_authors_later_code() -> None:
    """The first layer is y = sigmoid(BN(Conv1x1(sigmoid(BN(x + N))))), each channel apart, then a 1x1 convolution."""
    level, width, first = 0.1, 2, 5
    found = zoo.pnn_resnet(18, width, 0, "perturb", level, first=first, input=(3, 8, 8))

    def reference(parts: Parts, image: Tensor) -> Tensor:
        masks = parts.masks("stem/first")
        assert masks.shape == (first * width, 3, 8, 8) and 1.0 < masks.abs().max() <= 20 * level
        y = (image[:, :, None] + masks.transpose(0, 1)).flatten(1, 2)
        before, after = parts.norms("stem/first")
        y = parts.conv(torch.sigmoid(parts.bn(y, before)), "stem/first")
        kernel = parts.kernel("stem/first")
        assert isinstance(kernel, nn.Conv2d) and (kernel.groups, kernel.out_channels) == (3, 3 * width)
        x = parts.cbr(torch.sigmoid(parts.bn(y, after)), "stem")
        for i in range(4):
            for j in range(2):
                name, stride = f"s{i + 1}.{j + 1}", 2 if i and not j else 1
                y = x
                for half in (1, 2):
                    y = parts.cbr(
                        F.relu(y + parts.masks(f"{name}/perturb{half}")[0]), f"{name}/perturb{half}"
                    )
                    y = F.max_pool2d(y, stride, stride) if half == 1 else y
                shortcut = x
                if y.shape != x.shape:
                    shortcut = parts.bn(parts.conv(x, f"{name}/add", stride), parts.norms(f"{name}/add")[0])
                x = F.relu(y + shortcut)
        return parts.classified(average(x))

    same(found, reference)


# --- NIN: pools whose windows exceed the image


@pytest.mark.parametrize("pool2", ["max", "avg"])
def test_nin_with_padded_pools(pool2: str) -> None:
    """The pools of the ports: a border of one pixel, which counts as zeros in an average."""

    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = image
        for i in (1, 2, 3):
            for at in range(3):
                x = F.relu(parts.conv(x, f"mlp{i}", at=at))
            if i < 3:
                x = (F.avg_pool2d if i == 2 and pool2 == "avg" else F.max_pool2d)(x, 3, 2, 1)
        return average(x)

    same(zoo.nin("mnist", pool2, padded=True), reference, batch=2)


@pytest.mark.parametrize("pool2", ["max", "avg"])
def test_nin(pool2: str) -> None:
    def windows(x: Tensor, kind: str) -> Tensor:
        """Pool 3x3 windows of stride 2; the part outside the image is left out."""
        out = -(-(x.shape[2] - 3) // 2) + 1
        rows = []
        for r in range(out):
            cells = [x[:, :, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3] for c in range(out)]
            rows.append(torch.stack([c.amax((2, 3)) if kind == "max" else average(c) for c in cells], dim=2))
        return torch.stack(rows, dim=2)

    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = image
        for i in (1, 2, 3):
            for at in range(3):
                x = F.relu(parts.conv(x, f"mlp{i}", at=at))
            if i < 3:
                x = windows(x, pool2 if i == 2 else "max")
        assert x.shape[1:] == (10, 7, 7)
        return average(x)

    same(zoo.nin("mnist", pool2), reference, batch=2)


# --- MobileNet v1


def test_mobilenet() -> None:
    steps = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = parts.cbr(image, "stem")
        for i, stride in enumerate(steps, start=1):
            depthwise, pointwise = parts.norms(f"b{i}")
            x = F.relu(parts.bn(parts.conv(x, f"b{i}", stride, at=0), depthwise))
            x = F.relu(parts.bn(parts.conv(x, f"b{i}", at=1), pointwise))
        return parts.classified(average(x))

    same(zoo.mobilenet_v1(0.25, (3, 16, 16), 10), reference)


# --- BranchyNet: pool, then relu, as in the code; windows of pools exceed the image


def lrn(x: Tensor) -> Tensor:
    return F.local_response_norm(x, 3, alpha=1.5e-4, beta=0.75, k=2.0)


def pooled(x: Tensor, size: int) -> Tensor:
    return F.max_pool2d(x, size, 2, ceil_mode=True)


def test_branchy_lenet() -> None:
    def reference(parts: Parts, image: Tensor) -> tuple[Tensor, ...]:
        x = F.relu(pooled(parts.conv(image, "conv1", padding=3), 2))
        branch = F.relu(pooled(parts.conv(x, "branch1/conv"), 2))
        x = F.relu(pooled(parts.conv(x, "conv2", padding=3), 2))
        x = F.relu(pooled(parts.conv(x, "conv3", padding=3), 2)).flatten(1)
        fc = parts.kernel("fc")
        assert isinstance(fc, nn.Conv2d) and fc.bias is not None
        x = x @ fc.weight.flatten(1).T + fc.bias
        return parts.classified(branch.flatten(1), "exit1"), parts.classified(x, "exit2")

    same(zoo.branchy_lenet(), reference)


def test_branchy_alexnet() -> None:
    def reference(parts: Parts, image: Tensor) -> tuple[Tensor, ...]:
        x = lrn(pooled(F.relu(parts.conv(image, "conv1")), 3))
        x = lrn(pooled(F.relu(parts.conv(x, "conv2")), 3))
        first = F.relu(parts.conv(x, "branch1/conv1"))
        first = pooled(F.relu(parts.conv(first, "branch1/conv2")), 3)
        x = F.relu(parts.conv(x, "conv3"))
        second = F.relu(parts.conv(lrn(pooled(x, 3)), "branch2/conv"))
        second = pooled(second, 3)
        x = F.relu(parts.conv(F.relu(parts.conv(x, "conv4")), "conv5"))
        x = pooled(x, 3).flatten(1)
        for name in ("fc1", "fc2"):
            fc = parts.kernel(name)
            assert isinstance(fc, nn.Conv2d) and fc.bias is not None
            x = F.relu(x @ fc.weight.flatten(1).T + fc.bias)
        vectors = (first.flatten(1), second.flatten(1), x)
        return tuple([parts.classified(v, f"exit{i}") for i, v in enumerate(vectors, start=1)])

    same(zoo.branchy_alexnet(), reference)


def test_branchy_resnet() -> None:
    def unit(parts: Parts, x: Tensor, name: str, stride: int) -> Tensor:
        y = parts.cbr(x, f"{name}/conv1", stride)
        y = parts.bn(parts.conv(y, f"{name}/conv2"), parts.norms(f"{name}/conv2")[0])
        x = x[:, :, ::stride, ::stride]
        zeros = torch.zeros(len(x), y.shape[1] - x.shape[1], *x.shape[2:], dtype=x.dtype)
        return F.relu(y + torch.cat([zeros, x], dim=1))  # zero channels at the start

    def reference(parts: Parts, image: Tensor) -> tuple[Tensor, ...]:
        x = parts.cbr(image, "stem", padding=0)
        first = lrn(F.relu(parts.conv(x, "branch1/conv1")))
        first = F.relu(parts.conv(F.relu(parts.conv(first, "branch1/conv2")), "branch1/conv3"))
        x = unit(parts, x, "s1.1", 1)
        second = unit(parts, x, "branch2", 1)
        x = unit(parts, unit(parts, x, "s2.1", 2), "s3.1", 2)
        x = F.avg_pool2d(x, 6, 1)
        assert x.shape[1:] == (64, 3, 3)
        vectors = (first.flatten(1), second.flatten(1), x.flatten(1))
        return tuple([parts.classified(v, f"exit{i}") for i, v in enumerate(vectors, start=1)])

    same(zoo.branchy_resnet(8), reference, batch=2)


# --- torchvision's networks: theirs and ours list the same tensors in the same order


def test_torchvisions_alexnet_is_ours() -> None:
    with torch.device("meta"):  # sixty million numbers are drawn once, for both
        theirs, ours = (
            get_model("alexnet", num_classes=10).eval(),
            genome.build(zoo.alexnet(classes=10)).eval(),
        )
    theirs.to_empty(device="cpu")
    for mine, given in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.nn.init.uniform_(given, -0.02, 0.02)
        torch.utils.swap_tensors(mine, nn.Parameter(given.data.reshape(mine.shape)))
    with torch.no_grad():
        image = torch.randn(1, 3, 224, 224)
        torch.testing.assert_close(ours(image)[0], theirs(image), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet-18", "resnet-50", "densenet-121"])
def test_torchvisions_weights_fit(name: str) -> None:
    torch.manual_seed(0)
    theirs = get_model(name.replace("-", ""), num_classes=10)
    build = zoo.resnet if "resnet" in name else zoo.densenet
    ours = genome.build(build(int(name.rpartition("-")[2]), input=(3, 64, 64), classes=10))
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    for mine, given in pairs:
        mine.data.copy_(given.reshape(mine.shape))
    ours.train(), theirs.train()
    image = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(image)[0], theirs(image), rtol=1e-3, atol=1e-4)


def test_active_plain_starts_as_ordinary_convolutions() -> None:
    def reference(parts: Parts, image: Tensor) -> Tensor:
        x = image
        for i, stride in enumerate((1, 1, 1, 2, 1, 2, 1)):
            (weight,) = (p for key, p in parts.node(f"conv{i}").named_parameters() if p.ndim == 4)
            x = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
            x = F.relu(parts.bn(x, parts.norms(f"conv{i}")[0]))
        return parts.classified(average(parts.cbr(x, "wide")))

    same(zoo.active_plain((3, 12, 12)), reference)


def test_entries_differ() -> None:
    """No two names denote one network with one set of figures."""
    found = [
        (genome.digest(zoo.get(name)), zoo.entry(name).error, zoo.entry(name).note) for name in zoo.names()
    ]
    assert all(a != b for a, b in pairwise(sorted(found)))
