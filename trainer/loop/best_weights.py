"""The weights of the best evaluation."""

from typing import NamedTuple

from torch import Tensor, nn

from trainer.data.data import Data
from trainer.errors import DataError
from trainer.loop.evaluation import Scores
from trainer.report import GOALS, Row

Weights = dict[str, Tensor]


class Best(NamedTuple):
    """The best evaluation of a trial and its weights."""

    epoch: int
    scores: Scores
    weights: Weights


def check_goal(goal: str, data: Data) -> None:
    """Raise ValueError for a goal that is no score, DataError for one that these validation images do not have."""
    if goal not in GOALS:
        raise ValueError(f"goal is {goal!r}; it may be {', '.join(GOALS)}")
    of_each = [data.valid.has(label).double().mean().item() for label in range(len(data.classes))]
    if goal == "auc" and not any(0 < share < 1 for share in of_each):
        raise DataError(
            f"no class of {data.name} has validation images both of it and of others, so they have no AUC; take "
            "another objective, or other validation images"
        )


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
