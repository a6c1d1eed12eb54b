"""Whole networks: what `genome.build` makes against the same network in plain torch. One thread, CPU time.

First table: a training step (forward, backward) of ResNet-20, a small PyramidNet and a small MobileNet against
the expert's plain modules of `_networks.py`, in both memory layouts and under bfloat16 autocast. The goal is that
the genome costs nothing: at least 0.99 times as fast.

Second table: CliqueNet, FractalNet and the plain network of active convolutions against the ports of `_ports.py`,
in training (with dropout, drop-path and moved taps, as published) and in inference.

The networks share their weights, and float64 outputs and gradients are compared before any timing.

    python benchmarks/networks.py [--batch 32] [--rounds 11] [--only TEXT]
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

import genome
from benchmarks._networks import check, made, pairs
from benchmarks._ports import ActivePlain, CliqueNet, FractalNet, by_grid_sample, by_torchvision
from benchmarks._rounds import Compared, Way, compare, prepare, setting, training_step
from genome import zoo
from genome.ops._active import Active

GOAL = 0.99
STEPS = 16  # steps in a run with drop-path, because each step draws other paths
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Exact(NamedTuple):
    """A built network and its ports."""

    ours: nn.Module
    ports: dict[str, nn.Module]  # by name
    batch: int  # images
    steps: int = 1  # in a run


def cases(batch: int) -> Iterator[tuple[str, Way, Way]]:
    """Yield the rows of the first table: name, our step, the step of the network by hand."""
    for name, pair in pairs().items():
        for layout, memory_format in LAYOUTS.items():
            for bf16 in (False, True):
                x = torch.randn(batch, *pair.genome.input).contiguous(memory_format=memory_format)
                steps = [
                    training_step(module.to(memory_format=memory_format), x, bf16=bf16)
                    for module in made(pair)
                ]
                yield f"{name}, {layout}, {'bf16' if bf16 else 'fp32'}", steps[0], steps[1]


def exact() -> dict[str, Callable[[], Exact]]:
    """Return name -> function that makes the networks of the second table."""
    widths, dropout = (16, 32, 64, 128, 128), (0.0, 0.1, 0.2, 0.3, 0.4)
    return {
        "CliqueNet 36-12": lambda: _clique(36, 12, batch=4),
        "CliqueNet 12-36": lambda: _clique(12, 36, batch=4),
        "FractalNet, 3 columns of 16..128": lambda: _fractal(3, widths, dropout),
        "FractalNet, 4 columns of 16..128": lambda: _fractal(4, widths, dropout),
        "active plain network": _active,
    }


def _clique(width: int, layers: int, batch: int) -> Exact:
    ours, port = genome.build(zoo.cliquenet(width, layers)), CliqueNet(width, layers)
    port.take(ours)
    _check_without_chance(ours, port)
    return Exact(ours, {"chains of cat": port}, batch)


def _fractal(columns: int, widths: tuple[int, ...], dropout: tuple[float, ...]) -> Exact:
    def both(rate: float) -> tuple[nn.Module, FractalNet]:
        ours = genome.build(zoo.fractalnet(columns, widths, dropout, rate))
        port = FractalNet(columns, widths, (3, 32, 32), rate, dropout)
        port.take(ours)
        return ours, port

    _check_without_chance(*both(0.0))
    ours, port = both(0.15)
    return Exact(ours, {"all columns, masks": port}, batch=16, steps=STEPS)


def _active() -> Exact:
    """Return the active network, taps moved by up to 0.6 pixels, as in the published network, and still moving."""
    ours = genome.build(zoo.active_plain())
    layers = [m for m in ours.modules() if isinstance(m, Active)]
    for layer in layers:
        layer.warmup, layer.normalize, layer.rate = 0, False, 1.0  # torch's own gradient, for the comparison
        with torch.no_grad():
            layer.position += 0.6 * (2 * torch.rand_like(layer.position) - 1)
    ports = {
        "deform_conv2d": ActivePlain(ours, by_torchvision),
        "grid_sample": ActivePlain(ours, by_grid_sample),
    }
    for port in ports.values():
        check(ours, port, torch.randn(2, 3, 16, 16))
    for layer in layers:
        layer.normalize, layer.rate = True, 0.01
    return Exact(ours, ports, batch=8)  # type: ignore[arg-type]


def _check_without_chance(ours: nn.Module, port: nn.Module) -> None:
    """Compare copies without dropout."""
    one, other = copy.deepcopy(ours), copy.deepcopy(port)
    for module in (*one.modules(), *other.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    check(one, other, torch.randn(2, 3, 32, 32), in_order=False)


def trained(module: nn.Module, x: Tensor, steps: int) -> Way:
    """Return that many training steps, which draw the same numbers in every run."""
    step = training_step(module, x)

    def way() -> None:
        torch.manual_seed(0)
        for _ in range(steps):
            step()

    return way


def used(module: nn.Module, x: Tensor) -> Way:
    """Return a forward in inference."""
    module = copy.deepcopy(module).eval()

    def way() -> None:
        with torch.inference_mode():
            module(x)

    return way


def line(name: str, found: Compared) -> None:
    per = f"{1e3 * found.ours:8.1f} ms against {1e3 * found.theirs:8.1f}"
    print(f"{name:56}{per}  {found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32, help="images of a step in the first table")
    parser.add_argument(
        "--rounds", type=int, default=11, help="rounds of the first table; the second has a fifth"
    )
    parser.add_argument("--only", default="", help="only the networks whose name has this text")
    given = parser.parse_args()
    prepare()
    print(setting())
    print(f"\nbuilt against by hand: forward and backward of {given.batch} images of 3x32x32")
    for name, ours, theirs in cases(given.batch):
        if given.only in name:
            line(name, compare(ours, {"by hand": theirs}, GOAL, rounds=given.rounds)["by hand"])
    print("\nbuilt against ports")
    for name, make in exact().items():
        if given.only in name:
            _report(name, make(), max(given.rounds // 5, 1))


def _report(name: str, nets: Exact, rounds: int) -> None:
    """Print both lines of a network of the second table: training and inference."""
    x = torch.randn(nets.batch, 3, 32, 32)
    steps = {port: trained(module, x, nets.steps) for port, module in nets.ports.items()}
    found = compare(trained(nets.ours, x, nets.steps), steps, 1.0, rounds=rounds)
    for port, one in found.items():
        line(f"{name}, training, {port}", one)
    uses = {port: used(module, x) for port, module in nets.ports.items()}
    for port, one in compare(used(nets.ours, x), uses, 1.0, rounds=rounds).items():
        line(f"{name}, inference, {port}", one)


if __name__ == "__main__":
    main()
