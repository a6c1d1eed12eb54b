"""A training loop in one plain file, as an expert writes it by hand for one network on one CPU.

The whole data set lies in memory as uint8, and one gather makes the crops and flips of a batch. The loop uses
channels_last, fused SGD with Nesterov momentum, a one-cycle learning rate, smoothed labels and clipped gradients,
and evaluates after every epoch in large batches. The loop reads no value from the device inside an epoch, and it
reports only the last accuracy.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer import Data, Recipe


def train(start: nn.Module, data: Data, recipe: Recipe) -> float:
    """Train a copy of a network, and return its accuracy on the valid images."""
    torch.manual_seed(recipe.seed)
    model = copy.deepcopy(start).to(memory_format=torch.channels_last)
    parameters = list(model.parameters())
    x, y, batch = data.train.x, data.train.y, recipe.batch
    count, channels, height, width = x.shape
    pad = min(height, width) // 8
    pixels = F.pad(x, (pad,) * 4).reshape(-1)
    row, area = width + 2 * pad, (height + 2 * pad) * (width + 2 * pad)
    down = torch.arange(height)[:, None] * row
    across = torch.stack([torch.arange(width), torch.arange(width).flip(0)])
    planes = torch.arange(channels)[:, None, None] * area
    scale = torch.tensor([1 / (255 * s) for s in data.std]).view(-1, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(data.mean, data.std, strict=True)]).view(-1, 1, 1)
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1]},
        ],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=True,
        fused=True,
    )
    for p in parameters:  # drop-path leaves some gradients None, and the fused step cannot start with None
        optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
    steps = -(-count // batch) * recipe.epochs
    rates = [recipe.lr * one_cycle(step, steps, recipe.warmup) for step in range(steps)]
    shares = getattr(model, "exit_weights", (1.0,))
    step, accuracy = 0, 0.0
    for _ in range(recipe.epochs):
        model.train()
        order = torch.randperm(count)
        top, left = torch.randint(2 * pad + 1, (2, count))
        mirrored = torch.randint(2, (count,)) * int(data.mirror and recipe.flip)
        corner = order * (channels * area) + top * row + left
        for chosen, begins, flips in zip(
            order.split(batch), corner.split(batch), mirrored.split(batch), strict=True
        ):
            at = (begins[:, None, None] + down + across[flips][:, None])[:, None] + planes
            image = pixels.take(at).to(torch.float32, memory_format=torch.channels_last)
            out = model(image.mul_(scale).add_(shift))
            exits = out if isinstance(out, tuple) else (out,)
            losses = [F.cross_entropy(e, y[chosen], label_smoothing=recipe.label_smoothing) for e in exits]
            loss = sum(share * one for share, one in zip(shares, losses, strict=True))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[union-attr]
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(parameters, recipe.clip)
            for group in optimizer.param_groups:
                group["lr"] = rates[step]
            optimizer.step()
            step += 1
        accuracy = evaluate(model, data, 2 * batch, scale, shift)
    return accuracy


def evaluate(model: nn.Module, data: Data, batch: int, scale: Tensor, shift: Tensor) -> float:
    """Return the share of the valid images that the last exit classifies correctly."""
    model.eval()
    right = torch.zeros((), dtype=torch.long)
    total = torch.zeros(())
    with torch.inference_mode():
        for x, y in zip(data.valid.x.split(batch), data.valid.y.split(batch), strict=True):
            image = x.to(torch.float32, memory_format=torch.channels_last).mul_(scale).add_(shift)
            out = model(image)
            logits = out[-1] if isinstance(out, tuple) else out
            right += (logits.argmax(1) == y).sum()
            total += F.cross_entropy(logits, y, reduction="sum")
    return right.item() / len(data.valid)


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """Return the factor of torch's OneCycleLR: a cosine up from 1/25, then a cosine down to 1/250,000."""
    peak = max(warmup * steps - 1, 0.0)
    begin, end, share = 1 / 25, 1.0, step / max(peak, 1e-9)
    if step >= peak:
        begin, end, share = 1.0, 4e-6, (step - peak) / max(steps - 1 - peak, 1.0)
    return end + (begin - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
