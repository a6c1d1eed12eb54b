"""How near a training step comes to the hardware: model FLOPs utilisation (MFU), one CPU thread.

The FLOPs of a step follow the formula in `trainer/hardware/flops.py`. The ceiling is the best convolution or matrix
product that the same thread reaches in the same precision (`trainer/hardware/peak_flops.py`); the ceiling is measured
again before each row, and the best measurement counts. Steps are timed by process time, so that waiting for other
load does not count; the table shows medians. A few rows are first measured in the state of a fresh process, then all
rows with freed memory kept for the next step (`trainer/hardware/heap.py`). The last table shows the shares of a
step's time by kind of operation.

The goal: ResNet-20 in fp32 at 35 % or more.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import genome
from benchmarks._rounds import prepare, seconds
from genome import zoo
from genome.graph import Genome
from trainer import Batch, Recipe, exit_loss, exit_weights, exits
from trainer.hardware.flops import work
from trainer.hardware.heap import keep_pages
from trainer.hardware.peak_flops import Precision, measured
from trainer.hardware.precision import Form
from trainer.loop.optimizer import optimizer_of

CPU, INPUT, CLASSES, STEPS, GOAL = torch.device("cpu"), (3, 32, 32), 10, 7, 35.0
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TINY = """
genome: tiny
input: [3, 32, 32]
classes: 10
nodes:
  a: {op: conv, in: [image], width: 16}
  b: {op: conv, in: [a], width: 32, stride: 2}
  c: {op: conv, in: [b], width: 32}
  out: {op: exit, in: [c]}
"""
SHARES = {
    "convolutions": ("convolution",),
    "batch norm": ("batch_norm",),
    "relu": ("threshold", "clamp"),
    "sums": ("aten::add",),
    "optimizer": ("SGD", "sgd"),
}


class Row(NamedTuple):
    """One line of the table: a network and how it runs."""

    name: str
    genome: Genome
    batch: int
    precision: Precision
    layout: str


def rows() -> Iterator[Row]:
    """Yield the rows: batches of 128 for all networks, and of 32 and 256 for ResNet-20."""
    networks = {
        "resnet-20": zoo.resnet(20),
        "tiny": genome.loads(TINY),
        "mobilenet-v1-0.5": zoo.mobilenet_v1(0.5, INPUT, CLASSES),
        "pyramidnet-20-a48": zoo.pyramidnet(20, 48),
    }
    for name, made in networks.items():
        for batch in (128, 32, 256) if name == "resnet-20" else (128,):
            for precision in Precision.__args__:  # type: ignore[attr-defined]
                for layout in LAYOUTS:
                    yield Row(name, made, batch, precision, layout)


def step_of(row: Row) -> tuple[nn.Module, Callable[[], None]]:
    """Return a whole step as `fit` makes it with `optimizer: sgd`, on noise: forward, loss, backward, optimizer."""
    memory_format = LAYOUTS[row.layout]
    module = genome.build(row.genome).to(memory_format=memory_format).train()
    x = torch.randn(row.batch, *INPUT).contiguous(memory_format=memory_format)
    y = torch.randint(CLASSES, (row.batch,))
    descent = optimizer_of(module, Recipe(optimizer="sgd"))

    def step() -> None:
        descent.zero_grad(set_to_none=True)
        with Form(row.precision, row.layout).autocast(CPU):
            logits = exits(module, x, CLASSES)
        exit_loss(logits, Batch(x, y), exit_weights(module, len(logits)), 0.0).backward()
        descent.step()

    return module, step


class Found(NamedTuple):
    """The result of a row."""

    row: Row
    flops: int  # model FLOPs of a step
    seconds: float  # of the median step


def measure(row: Row, ceilings: dict[Precision, float]) -> Found:
    """Probe the ceiling again, then time steps."""
    ceilings[row.precision] = max(ceilings[row.precision], measured(CPU, row.precision))
    module, step = step_of(row)
    step()
    step()
    taken = statistics.median(seconds(step) for _ in range(STEPS))
    print(".", end="", file=sys.stderr, flush=True)
    return Found(row, work(module, INPUT).train_flops(row.batch), taken)


def shares(row: Row) -> dict[str, float]:
    """Return the share of a step's time of each kind of operation, by torch's profiler."""
    _, step = step_of(row)
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(5):
            step()
    events = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    total = sum(events.values())
    found = {
        kind: sum(time for key, time in events.items() if any(word in key for word in words)) / total
        for kind, words in SHARES.items()
    }
    return {**found, "rest": 1 - sum(found.values())}


def line(found: Found, ceilings: dict[Precision, float]) -> str:
    row, flops, taken = found
    rate = flops / taken
    head = f"{row.name:18}{row.batch:5}  {row.precision}  {row.layout:14}{flops / 1e9:6.1f} GFLOP"
    return f"{head}{1e3 * taken:8.1f} ms  {rate / 1e9:5.0f} GFLOP/s  MFU {100 * rate / ceilings[row.precision]:4.1f} %"


def main() -> None:
    prepare()
    ceilings: dict[Precision, float] = {"fp32": 0.0, "bf16": 0.0}
    plain = [row for row in rows() if (row.precision, row.layout) == ("fp32", "channels_last")]
    before = [measure(row, ceilings) for row in plain]
    assert keep_pages()
    after = [measure(row, ceilings) for row in rows()]
    print(f"\none thread; ceilings {', '.join(f'{p} {c / 1e9:.0f} GFLOP/s' for p, c in ceilings.items())}")
    print("freed memory given back to the system, as glibc does by itself:")
    print(*(line(found, ceilings) for found in before), sep="\n")
    print("freed memory kept:")
    print(*(line(found, ceilings) for found in after), sep="\n")
    goal = next(found for found in after if found.row == plain[0])
    near = 100 * goal.flops / goal.seconds / ceilings["fp32"]
    print(f"goal, ResNet-20 fp32 at {GOAL:.0f} %: {'reached' if near >= GOAL else 'missed'} at {near:.1f} %")
    for row in rows():
        if (
            row.batch == 128
            and row.layout == "channels_last"
            and row.name in ("resnet-20", "mobilenet-v1-0.5")
        ):
            parts = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in shares(row).items())
            print(f"{row.name} {row.precision}: {parts}")


if __name__ == "__main__":
    main()
