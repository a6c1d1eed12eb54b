"""A perturbation layer that streams its maps, against the plain form that holds them all: time and memory.

Plain is `conv1x1(act(x[:, :, None] + N))` under torch's own autograd, with masks N (C, M, H, W). Both run forward and
backward in training mode on one thread, by turns, in the memory layout that the table names. Times are medians of
process time. Memory is the peak of a fresh process above its memory before the first step (Linux). Both forms compute
the same matrix products; the difference is the data that moves through memory.

    python benchmarks/layer_perturb.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import genome
from benchmarks._rounds import Compared, compare, prepare, setting
from genome.op import Shape

BATCH, SOURCE, WIDTH = 8, Shape(64, 32, 32), 64


class Plain(nn.Module):
    """The layer in its most direct form. (B, C, H, W) -> (B, width, H, W)"""

    def __init__(self, masks: Tensor, act: nn.Module, mix: nn.Conv2d) -> None:
        super().__init__()
        self.masks = masks.transpose(0, 1).contiguous()  # (C, M, H, W)
        self.act, self.mix = act, mix

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(x[:, :, None] + self.masks)  # (B, C, M, H, W)
        return self.mix(maps.flatten(1, 2))  # type: ignore[no-any-return]


def forms(masks: int, source: Shape = SOURCE, width: int = WIDTH, **genes: object) -> dict[str, nn.Module]:
    """Return the same layer, streamed and plain; the two share their weights."""
    op = genome.lookup("perturb")(masks=masks, order="act-mix", **genes)
    torch.manual_seed(0)
    streamed = op.build([source], op.shape([source], width)).train()
    return {"streamed": streamed, "plain": Plain(streamed.noise.masks, streamed.act, streamed.mix).train()}


def step(module: nn.Module, x: Tensor, gy: Tensor) -> None:
    """Run one forward and one backward."""
    x.grad = None
    module.zero_grad(set_to_none=True)
    module(x).backward(gy)


def images(batch: int, shape: Shape, layout: torch.memory_format) -> Tensor:
    return torch.randn(batch, *shape).contiguous(memory_format=layout)


def compared(
    masks: int,
    layout: torch.memory_format,
    batch: int = BATCH,
    source: Shape = SOURCE,
    width: int = WIDTH,
    **genes: object,
) -> Compared:
    """Compare the process time of a step of the plain form with that of the streamed form."""
    made = forms(masks, source, width, **genes)
    x = images(batch, source, layout).requires_grad_()
    gy = images(batch, source.with_channels(width), layout)
    for module in made.values():
        module.to(memory_format=layout)
    streamed, plain = (partial(step, module, x, gy) for module in made.values())
    return compare(streamed, {"plain": plain}, rounds=5)["plain"]


def peak_bytes(form: str, masks: int) -> int:
    """Return the growth of the peak resident size over three steps of one form, in a separate process."""
    command = [sys.executable, __file__, form, str(masks)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _grown(form: str, masks: int) -> int:
    """Return the growth of the peak in this process. A tiny layer first loads torch's libraries."""
    warm = forms(8, Shape(2, 8, 8), 2)[form]
    step(warm, torch.randn(2, 2, 8, 8, requires_grad=True), torch.randn(2, 2, 8, 8))
    module = forms(masks)[form]
    x = images(BATCH, SOURCE, torch.contiguous_format).requires_grad_()
    gy = images(BATCH, SOURCE.with_channels(WIDTH), torch.contiguous_format)
    Path("/proc/self/clear_refs").write_text("5")  # the peak restarts at the memory that is held now
    before = _high_water()
    for _ in range(3):
        step(module, x, gy)
    return _high_water() - before


def _high_water() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


def main() -> None:
    prepare()
    if len(sys.argv) == 3:
        print(_grown(sys.argv[1], int(sys.argv[2])))
        return
    print(setting())
    print(f"perturb, {BATCH}x{SOURCE} -> {WIDTH} channels, forward and backward, one thread")
    for masks in (8, 64):
        for layout in (torch.contiguous_format, torch.channels_last):
            report(f"{masks} masks", masks, layout)
    for activation in ("relu6", "leaky-relu", "silu", "gelu"):
        report(f"8 masks, {activation}", 8, torch.contiguous_format, activation=activation)
    report("64 masks, grouped", 64, torch.contiguous_format, mix="grouped")
    for batch, source in ((128, Shape(64, 8, 8)), (32, Shape(32, 16, 16)), (32, Shape(3, 32, 32))):
        report(f"8 masks, {batch}x{source}", 8, torch.contiguous_format, batch=batch, source=source)
    ours, theirs = (peak_bytes(form, 64) for form in ("streamed", "plain"))
    print(f"64 masks, peak memory: {ours / 2**20:.0f} MiB against {theirs / 2**20:.0f} MiB, "
          f"ratio {ours / theirs:.2f}")  # fmt: skip


def report(what: str, masks: int, layout: torch.memory_format, **more: object) -> None:
    found = compared(masks, layout, **more)  # type: ignore[arg-type]
    name = str(layout).removeprefix("torch.").removesuffix("_format")
    print(
        f"{what:24}{name:14}{1e3 * found.ours:8.1f} ms against {1e3 * found.theirs:8.1f} ms: {found}",
        flush=True,
    )


if __name__ == "__main__":
    main()
