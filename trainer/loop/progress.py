"""Progress: how far a training has come, apart from weights."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from trainer.loop.best_weights import Best
from trainer.loop.evaluation import Scores
from trainer.report import Row


@dataclass
class Progress:
    """Counts up while training goes on; `state` and `restored` carry it over a checkpoint.

    epochs: complete ones.  batches, loss, epoch_images, epoch_seconds: of the epoch in hand; loss is summed over its
    images and stays on the device.  images, seconds: of the training steps of all epochs before it.
    """

    loss: Tensor
    epochs: int = 0
    batches: int = 0
    epoch_images: int = 0
    epoch_seconds: float = 0.0
    images: int = 0
    steps: int = 0
    seconds: float = 0.0
    curve: list[Row] = field(default_factory=list)
    best: Best | None = None

    @property
    def all_images(self) -> int:
        """Trained on so far, the epoch in hand included."""
        return self.images + self.epoch_images

    @property
    def all_seconds(self) -> float:
        return self.seconds + self.epoch_seconds

    def add(self, loss: Tensor, images: int) -> None:
        """Take in a step: the mean loss of its images."""
        self.loss += loss * images
        self.batches += 1
        self.steps += 1
        self.epoch_images += images

    def close(self, complete: bool) -> None:
        """End the epoch in hand."""
        self.epochs += complete
        self.images += self.epoch_images
        self.seconds += self.epoch_seconds
        self.loss = torch.zeros_like(self.loss)
        self.batches, self.epoch_images, self.epoch_seconds = 0, 0, 0.0

    def epochs_since_best(self) -> int:
        """Complete epochs after the best evaluation."""
        return self.epochs - self.best.epoch if self.best else 0

    def state(self) -> dict[str, Any]:
        """Plain values and tensors."""
        plain = {key: value for key, value in vars(self).items() if key not in ("curve", "best")}
        best = self.best and {
            "epoch": self.best.epoch,
            "scores": asdict(self.best.scores),
            "weights": self.best.weights,
        }
        return {**plain, "curve": [asdict(row) for row in self.curve], "best": best}

    @classmethod
    def restored(cls, state: dict[str, Any], device: torch.device) -> "Progress":
        """What `state` gave, its loss on the device."""
        best = state["best"]
        scores = best and Scores(**{**best["scores"], "exits": tuple(best["scores"]["exits"])})
        return cls(
            **{
                **state,
                "loss": state["loss"].to(device),
                "curve": [Row(**row) for row in state["curve"]],
                "best": best and Best(best["epoch"], scores, best["weights"]),
            }
        )
