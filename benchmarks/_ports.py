"""CliqueNet, FractalNet and the plain network of active convolutions, as ports write them in plain torch.

Cliques are chains of `cat`, of values and of filters. Fractals run every column and apply drop-path by masks. Active
convolutions use torchvision's `deform_conv2d`, or one `grid_sample` per tap. Each network takes its weights from
a built genome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from genome.ops._active import Active


def copied(own: nn.Module, given: nn.Module) -> None:
    """Copy the tensors of `given` into `own`; their names may differ."""
    own.load_state_dict(dict(zip(own.state_dict(), given.state_dict().values(), strict=True)))


def part(network: nn.Module, name: str, kind: type[nn.Module], turn: int = 0) -> list[nn.Module]:
    """Return the modules of that kind in a node of a built genome."""
    return [m for m in network.node(name, turn).modules() if isinstance(m, kind)]  # type: ignore[index,union-attr]


# --- CliqueNet (Yang et al., CVPR 2018)


class Clique(nn.Module):
    """The published block: stage I feeds forward, stage II reads all other nodes with the same filters."""

    def __init__(
        self, channels: int, width: int, nodes: int, eps: float = 1e-5, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.nodes, self.dropout = range(1, nodes + 1), nn.Dropout(dropout)
        sizes = {0: channels, **dict.fromkeys(self.nodes, width)}
        self.filters = nn.ParameterDict(
            {
                f"{i}_{j}": nn.Parameter(torch.randn(width, sizes[i], 3, 3) * 0.05)
                for i in (0, *self.nodes)
                for j in self.nodes
                if i != j
            }
        )
        self.first = nn.ModuleList(nn.BatchNorm2d(channels + i * width, eps) for i in range(nodes))
        self.second = nn.ModuleList(nn.BatchNorm2d((nodes - 1) * width, eps) for _ in self.nodes)

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for j, norm in zip(self.nodes, self.first, strict=True):
            values[j] = self.node(values, [*range(j)], j, norm)
        for j, norm in zip(self.nodes, self.second, strict=True):
            values[j] = self.node(values, [i for i in self.nodes if i != j], j, norm)
        out = values[1]
        for j in self.nodes[1:]:
            out = torch.cat((out, values[j]), dim=1)
        return out

    def node(self, values: dict[int, Tensor], reads: list[int], j: int, norm: nn.Module) -> Tensor:
        value, weight = values[reads[0]], self.filters[f"{reads[0]}_{j}"]
        for i in reads[1:]:
            value = torch.cat((value, values[i]), dim=1)
            weight = torch.cat((weight, self.filters[f"{i}_{j}"]), dim=1)
        return self.dropout(F.conv2d(F.relu(norm(value)), weight, padding=1))  # type: ignore[no-any-return]

    def take(self, network: nn.Module, name: str) -> None:
        """Copy the weights of the clique of that name."""
        state = network.state_dict()
        for j in self.nodes:
            others = [i for i in (0, *self.nodes) if i != j]
            packed = state[f"nodes.{name}__{j}.conv.weight"]
            pieces = torch.split(packed, [self.filters[f"{i}_{j}"].shape[1] for i in others], dim=1)
            for i, piece in zip(others, pieces, strict=True):
                self.filters[f"{i}_{j}"].data.copy_(piece)
            for stage, norms in enumerate((self.first, self.second)):
                copied(norms[j - 1], part(network, f"{name}/{j}", nn.BatchNorm2d, stage)[0])


class CliqueNet(nn.Module):
    """The network for small images, variant II+II, without extras. (B, 3, H, W) -> (B, classes)"""

    def __init__(
        self, width: int, layers: int, dropout: float = 0.2, channels: int = 3, classes: int = 10
    ) -> None:
        super().__init__()
        nodes, eps = layers // 3, 1e-3
        total, self.dropout = nodes * width, nn.Dropout(dropout)
        self.stem = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        starts = (64, total, total)
        self.blocks = nn.ModuleList(Clique(start, width, nodes, eps, dropout) for start in starts)
        self.transitions = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(total, eps), nn.ReLU(), nn.Conv2d(total, total, 1, bias=False))
            for _ in range(2)
        )
        self.heads = nn.ModuleList(nn.BatchNorm2d(start + total, eps) for start in starts)
        self.fc = nn.Linear(sum(starts) + 3 * total, classes)

    def forward(self, x: Tensor) -> Tensor:
        x, vectors = self.stem(x), []
        for i, (block, head) in enumerate(zip(self.blocks, self.heads, strict=True)):
            out = block(x)
            feature = torch.cat((x, out), dim=1)
            vectors.append(F.adaptive_avg_pool2d(F.relu(head(feature)), 1).flatten(1))
            if i < len(self.transitions):
                x = F.avg_pool2d(self.dropout(self.transitions[i](out)), 2)
        return self.fc(torch.cat(vectors, dim=1))  # type: ignore[no-any-return]

    def take(self, network: nn.Module) -> None:
        """Copy the weights of a built `zoo.cliquenet`."""
        self.stem.load_state_dict(network.node("stem").state_dict())  # type: ignore[index,union-attr]
        norms = iter(part(network, "out", nn.BatchNorm2d))
        for i, (block, head) in enumerate(zip(self.blocks, self.heads, strict=True), start=1):
            block.take(network, f"b{i}")  # type: ignore[operator]
            pair = [next(norms).state_dict() for _ in range(2)]
            head.load_state_dict(
                {k: torch.cat([n[k] for n in pair]) if pair[0][k].ndim else pair[0][k] for k in pair[0]}
            )
        for i, transition in enumerate(self.transitions, start=1):
            copied(transition, network.node(f"t{i}"))  # type: ignore[index,arg-type]
        copied(self.fc, part(network, "out", nn.Linear)[0])


# --- FractalNet (Larsson et al., ICLR 2017)


class FractalUnit(nn.Sequential):
    """3x3 convolution, dropout, norm, ReLU. `padded`: a separate layer pads with zeros (khanrc)."""

    def __init__(self, channels: int, width: int, dropout: float = 0.0, padded: bool = False) -> None:
        conv = nn.Conv2d(channels, width, 3, padding=0 if padded else 1, bias=False)
        parts = [conv, nn.Dropout(dropout), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        super().__init__(*([nn.ZeroPad2d(1)] if padded else []), *parts)


class Fractal(nn.Module):
    """One block, column by column and step by step: every column runs, and joins mask the dropped inputs."""

    def __init__(
        self, columns: int, channels: int, width: int, rate: float, dropout: float = 0.0, padded: bool = False
    ) -> None:
        super().__init__()
        self.rate = rate
        self.columns = nn.ModuleList(
            nn.ModuleList(
                FractalUnit(channels if i == 0 else width, width, dropout, padded) for i in range(1 << c)
            )
            for c in range(columns)
        )

    def forward(self, x: Tensor, column: int | None = None) -> Tensor:
        """Run the block. `column`: the only column that is kept; None: each join draws its inputs."""
        count = len(self.columns)
        heads = [x] * count
        for step in range(1, (1 << (count - 1)) + 1):
            for c in range(count):
                before, inside = divmod(step - 1, 1 << (count - 1 - c))
                if not inside:
                    heads[c] = self.columns[c][before](heads[c])  # type: ignore[index]
            ending = [c for c in range(count) if step % (1 << (count - 1 - c)) == 0]
            if len(ending) > 1:
                joined = self.join(torch.stack([heads[c] for c in ending]), ending, column)
                for c in ending:
                    heads[c] = joined
        return heads[-1]

    def join(self, maps: Tensor, ending: Sequence[int], column: int | None) -> Tensor:
        if not (self.rate and self.training):
            return maps.mean(0)
        if column is not None:
            keep = torch.tensor([float(c == max(column, ending[0])) for c in ending])
        else:
            keep = (torch.rand(len(ending)) >= self.rate).float()
            keep[int(torch.rand(()).item() * len(ending))] += float(keep.sum() == 0)
        return (maps * keep.view(-1, 1, 1, 1, 1)).sum(0) / keep.sum()


class FractalNet(nn.Module):
    """Blocks and one linear layer; `pool`: a 2x2 max pool follows each block. (B, C, H, W) -> (B, classes)

    In training, half of the mini-batches keep one column of the whole network, and half drop inputs of joins.
    """

    def __init__(
        self,
        columns: int,
        widths: Sequence[int],
        image: tuple[int, int, int],
        rate: float,
        dropout: Sequence[float] | None = None,
        padded: bool = False,
        pool: bool = True,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.columns, self.rate, self.pool = columns, rate, pool
        shares = dropout or [0.0] * len(widths)
        pairs = zip((image[0], *widths), widths, shares, strict=False)
        self.blocks = nn.ModuleList(
            Fractal(columns, before, width, rate, share, padded) for before, width, share in pairs
        )
        side = image[1] >> len(widths)
        self.fc = nn.Linear(widths[-1] * (side * side if pool else 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        column = None
        if self.rate and self.training and torch.rand(()).item() < 0.5:
            column = int(torch.rand(()).item() * self.columns)
        for block in self.blocks:
            x = block(x, column)
            x = F.max_pool2d(x, 2) if self.pool else x
        return self.fc(x.flatten(1) if self.pool else x.mean(dim=(2, 3)))  # type: ignore[no-any-return]

    def take(self, network: nn.Module) -> None:
        """Copy the weights of a built `zoo.fractalnet`."""
        for b, block in enumerate(self.blocks, start=1):
            for c, column in enumerate(block.columns, start=1):  # type: ignore[arg-type]
                for i, unit in enumerate(column, start=1):
                    copied(unit, network.node(f"b{b}/c{c}.{i}"))  # type: ignore[index,arg-type]
        copied(self.fc, part(network, "out", nn.Linear)[0])


# --- Active convolutions (Jeon and Kim, CVPR 2017)

Sampling = Callable[[Tensor, Active], Tensor]


def taps(layer: Active) -> Tensor:
    """Return (dy, dx) of all taps, with a gradient. (K, 2)"""
    moved = layer.position.view(-1, 2)
    centre = len(moved) // 2
    return torch.cat([moved[:centre], moved.new_zeros(1, 2), moved[centre:]])


def start(layer: Active) -> Tensor:
    """Return the positions of the taps of a plain convolution. (K, 2)"""
    reach = layer.kernel // 2
    at = [float(place) for place in range(-reach, reach + 1)]
    return layer.position.new_tensor([[y, x] for y in at for x in at])


def by_torchvision(x: Tensor, layer: Active) -> Tensor:
    """Convolve by torchvision; every pixel has the same offsets."""
    high, across = (-(-size // layer.stride) for size in x.shape[2:])
    offset = (taps(layer) - start(layer)).view(1, -1, 1, 1).expand(x.shape[0], -1, high, across)
    made = deform_conv2d(x, offset, layer.weight, layer.bias, layer.stride, layer.kernel // 2)
    assert isinstance(made, Tensor)
    return made


def by_grid_sample(x: Tensor, layer: Active) -> Tensor:
    """Convolve by one sampling per tap, then one 1x1 convolution."""
    size = x.shape[2]
    at = torch.arange(0, size, layer.stride, dtype=x.dtype)
    read = []
    for place in taps(layer):
        down, across = ((2 * (at + d) + 1) / size - 1 for d in place)
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
        read.append(F.grid_sample(x, grid.expand(x.shape[0], -1, -1, -1), align_corners=False))
    columns = torch.stack(read, dim=2).flatten(1, 2)  # (B, C * K, H', W')
    return F.conv2d(columns, layer.weight.flatten(1)[:, :, None, None], layer.bias)


class ActivePlain(nn.Module):
    """The plain network with another way to run its active convolutions. (B, 3, H, W) -> (B, classes)

    The layers and their weights are those of a built `zoo.active_plain`.
    """

    def __init__(self, network: nn.Module, way: Sampling) -> None:
        super().__init__()
        self.nodes, self.way = network.nodes, way

    def forward(self, x: Tensor) -> Tensor:
        *units, out = self.nodes.values()  # type: ignore[operator,union-attr]
        for unit in units:
            conv, norm, act = unit.children()
            x = act(norm(self.way(x, conv) if isinstance(conv, Active) and conv.kernel > 1 else conv(x)))
        return out.linear(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]
