"""Progress: how far a training is, without weights."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from trainer.loop.best_weights import Best
from trainer.loop.evaluation import Scores
from trainer.report import Row


@dataclass
class Progress:
    """The counts of a training; `state` and `restored` store it in a checkpoint, so that field names are its keys."""

    loss: Tensor  # of the current epoch, summed over its images, on the device
    epochs: int = 0  # complete ones
    batches: int = 0  # of the current epoch
    epoch_images: int = 0  # of the current epoch
    epoch_seconds: float = 0.0  # of the training steps of the current epoch
    images: int = 0  # of all earlier epochs
    steps: int = 0  # of the whole training
    seconds: float = 0.0  # of the training steps of all earlier epochs
    curve: list[Row] = field(default_factory=list)
    best: Best | None = None

    @property
    def all_images(self) -> int:
        """Images trained on so far, with the current epoch."""
        return self.images + self.epoch_images

    @property
    def all_seconds(self) -> float:
        """Seconds of all training steps so far."""
        return self.seconds + self.epoch_seconds

    def add(self, loss: Tensor, images: int) -> None:
        """Count a step, given the mean loss of its images."""
        self.loss += loss * images
        self.batches += 1
        self.steps += 1
        self.epoch_images += images

    def close(self, complete: bool) -> None:
        """End the current epoch."""
        self.epochs += complete
        self.images += self.epoch_images
        self.seconds += self.epoch_seconds
        self.loss = torch.zeros_like(self.loss)
        self.batches, self.epoch_images, self.epoch_seconds = 0, 0, 0.0

    def epochs_since_best(self) -> int:
        """Return the number of complete epochs after the best evaluation."""
        return self.epochs - self.best.epoch if self.best else 0

    def seconds_left(self, steps: int) -> float:
        """Return the expected seconds of the remaining steps of `steps` at the mean speed so far."""
        return (steps - self.steps) * self.all_seconds / max(self.steps, 1)

    def state(self) -> dict[str, Any]:
        """Return plain values and tensors for a checkpoint."""
        plain = {key: value for key, value in vars(self).items() if key not in ("curve", "best")}
        best = self.best and {
            "epoch": self.best.epoch,
            "scores": asdict(self.best.scores),
            "weights": self.best.weights,
        }
        return {**plain, "curve": [asdict(row) for row in self.curve], "best": best}

    @classmethod
    def restored(cls, state: dict[str, Any], device: torch.device) -> "Progress":
        """Return the progress that `state` describes, its loss on the device."""
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
