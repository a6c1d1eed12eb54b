"""A training loop as tutorials write it.

torchvision's transforms take one Pillow image at a time, a DataLoader makes the batches, and the optimizer has its
defaults. The loop reads the loss at every step and evaluates after every epoch in batches of the training's size.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainer import Data, Recipe, Split


class Pictures(Dataset[tuple[Tensor, int]]):
    """A split as torchvision's data sets give it: a Pillow image of the pixels, then transformed."""

    def __init__(self, split: Split, transform: transforms.Compose) -> None:
        pixels = split.x.permute(0, 2, 3, 1).contiguous()
        self.pixels = pixels.squeeze(3).numpy()
        self.labels = split.y.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def loaders(data: Data, batch: int, workers: int) -> tuple[DataLoader, DataLoader]:  # type: ignore[type-arg]
    """Return the loaders of the augmented train images and of the valid images."""
    size = data.input[1:]
    augment = [transforms.RandomCrop(size, padding=min(size) // 8)]
    augment += [transforms.RandomHorizontalFlip()] if data.mirror else []
    both = [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
    train = Pictures(data.train, transforms.Compose(augment + both))
    valid = Pictures(data.valid, transforms.Compose(both))
    return (
        DataLoader(train, batch, shuffle=True, num_workers=workers),
        DataLoader(valid, batch, num_workers=workers),
    )


def train(start: nn.Module, data: Data, recipe: Recipe, workers: int) -> float:
    """Train a copy of a network, and return its accuracy on the valid images."""
    torch.manual_seed(recipe.seed)
    model = copy.deepcopy(start)
    train_loader, valid_loader = loaders(data, recipe.batch, workers)
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, recipe.epochs * len(train_loader), pct_start=recipe.warmup
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    accuracy = 0.0
    for _ in range(recipe.epochs):
        model.train()
        running_loss = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            out = model(x)
            exits = out if isinstance(out, tuple) else (out,)
            loss = sum(criterion(one, y) for one in exits)
            loss.backward()
            optimizer.step()
            scheduler.step()
            running_loss += loss.item()
        accuracy = evaluate(model, valid_loader)
    return accuracy


def evaluate(model: nn.Module, loader: DataLoader) -> float:  # type: ignore[type-arg]
    """Return the share of images that the last exit classifies correctly."""
    model.eval()
    right = total = 0
    loss = 0.0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            logits = out[-1] if isinstance(out, tuple) else out
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
            total += len(y)
    return right / total
