"""Training of one network: data, recipe, budget, `fit` and its report.

Works with any `nn.Module`. Importing this package is cheap; torch is loaded by the first name that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.budget import Budget, BudgetError, parse_bytes, parse_seconds
    from trainer.data.batches import Batch
    from trainer.data.data import Data, Split, load
    from trainer.data.named import NAMES
    from trainer.errors import DataError
    from trainer.hardware.devices import DeviceError, device_of
    from trainer.hardware.flops import Work
    from trainer.hardware.heap import keep_pages
    from trainer.hardware.latency import latency
    from trainer.hardware.meter import Meter
    from trainer.hardware.peak_memory import Peak
    from trainer.hardware.ranks import Ranks
    from trainer.loop.checkpoint import Checkpoint, CheckpointError
    from trainer.loop.evaluation import Scores, evaluate, exit_logits
    from trainer.loop.fit_loop import fit
    from trainer.loop.loss import exit_loss, exit_weights, exits
    from trainer.recipe import Recipe, RecipeError
    from trainer.report import Report, ReportError, Row

# No file is named after a public function: importing a module `trainer.fit` would hide the function.
_HOME = {
    "NAMES": "data.named",
    "Batch": "data.batches",
    "Budget": "budget",
    "BudgetError": "budget",
    "Checkpoint": "loop.checkpoint",
    "CheckpointError": "loop.checkpoint",
    "Data": "data.data",
    "DataError": "errors",
    "DeviceError": "hardware.devices",
    "Meter": "hardware.meter",
    "Peak": "hardware.peak_memory",
    "Ranks": "hardware.ranks",
    "Recipe": "recipe",
    "RecipeError": "recipe",
    "Report": "report",
    "ReportError": "report",
    "Row": "report",
    "Scores": "loop.evaluation",
    "Split": "data.data",
    "Work": "hardware.flops",
    "device_of": "hardware.devices",
    "evaluate": "loop.evaluation",
    "exit_logits": "loop.evaluation",
    "exit_loss": "loop.loss",
    "exit_weights": "loop.loss",
    "exits": "loop.loss",
    "fit": "loop.fit_loop",
    "keep_pages": "hardware.heap",
    "latency": "hardware.latency",
    "load": "data.data",
    "parse_bytes": "budget",
    "parse_seconds": "budget",
}

__all__ = [
    "NAMES",
    "Batch",
    "Budget",
    "BudgetError",
    "Checkpoint",
    "CheckpointError",
    "Data",
    "DataError",
    "DeviceError",
    "Meter",
    "Peak",
    "Ranks",
    "Recipe",
    "RecipeError",
    "Report",
    "ReportError",
    "Row",
    "Scores",
    "Split",
    "Work",
    "device_of",
    "evaluate",
    "exit_logits",
    "exit_loss",
    "exit_weights",
    "exits",
    "fit",
    "keep_pages",
    "latency",
    "load",
    "parse_bytes",
    "parse_seconds",
]


def __getattr__(name: str) -> Any:
    """Import the file that holds a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'trainer' has no attribute {name!r}")
    value = getattr(import_module(f"trainer.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
