"""Freezing: a training in two stages, first the trunk with the last exit, then the heads of the other exits on it."""

from torch import nn

from trainer.errors import ModuleError
from trainer.loop.best_weights import Best, better
from trainer.loop.evaluation import Scores
from trainer.loop.progress import Progress
from trainer.loop.stages import Part, Stage, stages
from trainer.loop.step import Step
from trainer.loop.weight_average import WeightAverage
from trainer.recipe import Recipe
from trainer.report import Row


class Freezing:
    """What is frozen in each epoch of one training; nothing where it has one stage."""

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        """Raises ModuleError where the recipe freezes and the module does not tell its heads."""
        self._module, self._recipe = module, recipe
        self._heads = _heads(module) if recipe.freeze else []
        parameters = _parameters(module, self._heads)
        weights = tuple(getattr(module, "exit_weights", (1.0, 1.0)))
        self._stages = stages(recipe, weights if all(parameters.values()) else weights[-1:])
        self._parameters = parameters if len(self._stages) > 1 else {}

    def enter(self, progress: Progress, step: Step) -> None:
        """Prepare module and step for the coming epoch, or the rest of it. The heads begin on the best trunk."""
        self._module.train()
        stage = step.stage = self._at(progress.epochs)
        for part, parameters in self._parameters.items():
            for parameter in parameters:
                parameter.requires_grad_(part is stage.learns)
        if stage.learns is not Part.HEADS:
            return
        self._module.eval()
        for module in (self._module, *self._heads):
            module.training = True
        if (progress.epochs, progress.batches) == (stage.first, 0) and progress.best is not None:
            self._module.load_state_dict(progress.best.weights)
            step.average = WeightAverage(self._module, self._recipe)

    def better(self, progress: Progress, row: Row, scores: Scores, goal: str) -> Best:
        """Return the best evaluation so far of the present stage; that of heads counts the exits alike."""
        stage = self._at(row.epoch - 1)
        goal = "mean_accuracy" if stage.learns is Part.HEADS else goal
        return better(self._module, _within(stage, progress.best), row, scores, goal)

    def is_settled(self, progress: Progress, patience: int) -> bool:
        """Whether so many epochs of the last stage brought no better evaluation."""
        stage = self._at(progress.epochs)
        known = stage is self._stages[-1] and _within(stage, progress.best) is not None
        return known and progress.epochs_since_best() >= patience

    def _at(self, epoch: int) -> Stage:
        return next(stage for stage in reversed(self._stages) if epoch >= stage.first)


def _within(stage: Stage, best: Best | None) -> Best | None:
    """Return the best evaluation if it is of this stage."""
    return best if best is not None and best.epoch > stage.first else None


def _heads(module: nn.Module) -> list[nn.Module]:
    names = getattr(module, "early_heads", None)
    if names is None:
        raise ModuleError(
            "freeze needs the heads of the earlier exits; give the module `early_heads`, the names of the modules that "
            "the last exit does not need"
        )
    return [part for name in names for part in module.get_submodule(name).modules()]


def _parameters(module: nn.Module, heads: list[nn.Module]) -> dict[Part, list[nn.Parameter]]:
    """Return the parameters that are trained, by the part that they belong to; what a head shares is the trunk's."""
    alone = {id(part) for part in heads}
    trunk = {
        id(p) for part in module.modules() if id(part) not in alone for p in part.parameters(recurse=False)
    }
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return {
        Part.TRUNK: [parameter for parameter in trained if id(parameter) in trunk],
        Part.HEADS: [parameter for parameter in trained if id(parameter) not in trunk],
    }
