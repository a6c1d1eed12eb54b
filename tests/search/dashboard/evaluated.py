"""Small images with the answers of a network to them, and trials that have an evaluation.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import trainer
from search.results.evaluation.evaluation import Evaluation, evaluation
from search.results.evaluation.write import write_beside
from search.storage.trial_files import write_training
from trainer import Data
from trainer.data.data import Split
from trainer.loop.evaluation import Scores

SHA = "0" * 64
CLASSES = ("cat", "dog", "<b>owl</b>")
IMAGES = 40


class Given(nn.Module):
    """A network that answers every split of images with the same logits, in order."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits, self.at = logits, 0

    def forward(self, x: Tensor) -> Tensor:
        self.at += len(x)
        return self.logits[self.at - len(x) : self.at]


def pictures() -> Data:
    """Return images of three classes; each has one colour."""
    x = torch.arange(IMAGES, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4).contiguous()
    split = Split(x, torch.arange(IMAGES) % 3)
    return Data("drawn", (1, 4, 4), CLASSES, split, split, split, (0.5,), (0.25,), False)


def drawn() -> Tensor:
    """Return logits for the validation images, of which some are wrong."""
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(IMAGES, 3, generator=generator) + 2 * torch.eye(3)[torch.arange(IMAGES) % 3]


def scores_of(data: Data, logits: Tensor) -> Scores:
    """Return the scores of these answers to the validation images."""
    return trainer.evaluate(Given(logits), data.valid, data, predictions=True, logits=True)


def keep_evaluation(folder: Path, report: dict[str, Any], weights: bytes = b"weights") -> Evaluation:
    """Write a training with its evaluation into the folder of a trial; return the evaluation."""
    from trainer import files

    data = pictures()
    write_training(folder, "genome", weights, report)
    found = evaluation(scores_of(data, drawn()), data, files.sha256(weights))
    assert found is not None
    write_beside(folder, found)
    return found
