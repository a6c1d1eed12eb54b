"""The weights of the best evaluation."""

from typing import NamedTuple

from torch import Tensor, nn

from trainer.loop.evaluation import Scores
from trainer.report import Row

Weights = dict[str, Tensor]


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


def better(module: nn.Module, best: Best | None, row: Row, scores: Scores) -> Best:
    """Return the best evaluation so far: higher accuracy, then lower loss; the earlier of equals."""
    if best is not None and (scores.accuracy, -scores.loss) <= (best.scores.accuracy, -best.scores.loss):
        return best
    return Best(row.epoch, scores, copy_weights(module))
