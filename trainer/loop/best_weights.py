"""The weights of the best evaluation."""

from typing import NamedTuple

from torch import Tensor, nn

from trainer.loop.evaluation import Scores
from trainer.report import Row

Weights = dict[str, Tensor]
GOALS = ("accuracy", "balanced_accuracy", "macro_f1")  # fields of scores by which an epoch may be the best


class Best(NamedTuple):
    """The best evaluation of a trial and its weights."""

    epoch: int
    scores: Scores
    weights: Weights


def copy_weights(module: nn.Module) -> Weights:
    """Return the state dict as contiguous tensors on the CPU that share no memory with the module."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in module.state_dict().items()
    }


def better(module: nn.Module, best: Best | None, row: Row, scores: Scores, goal: str = "accuracy") -> Best:
    """Return the best evaluation so far: higher `goal`, then lower loss; the earlier of equals."""
    if best is not None and _rank(scores, goal) <= _rank(best.scores, goal):
        return best
    return Best(row.epoch, scores, copy_weights(module))


def _rank(scores: Scores, goal: str) -> tuple[float, float]:
    return getattr(scores, goal), -scores.loss
