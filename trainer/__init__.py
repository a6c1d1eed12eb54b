"""How one network is trained: data, recipe, budget, `fit` and its report.

Takes any `nn.Module`. Importing this package is cheap; torch is loaded by the first name that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.budget import Budget, BudgetError, parse_bytes, parse_seconds
    from trainer.errors import DataError
    from trainer.recipe import Recipe, RecipeError
    from trainer.report import Report, ReportError, Row

    from .data.data import Data, Split, load
    from .data.names import NAMES
    from .fused.seeds import fit_seeds
    from .hardware.devices import DeviceError, device_of
    from .hardware.flops import Work
    from .hardware.heap import keep_pages
    from .hardware.latency import latency
    from .hardware.meter import Meter
    from .hardware.peak_memory import Peak
    from .hardware.ranks import Ranks
    from .loop.checkpoint import Checkpoint, CheckpointError
    from .loop.evaluation import Scores, evaluate
    from .loop.fit_loop import fit

# No file is called after a function it gives: importing `trainer.fit` as a module would hide the function.
_HOME = {
    "NAMES": "names",
    "Budget": "budget",
    "BudgetError": "budget",
    "Checkpoint": "checkpoint",
    "CheckpointError": "checkpoint",
    "Data": "data",
    "DataError": "errors",
    "DeviceError": "devices",
    "Meter": "meter",
    "Peak": "memory",
    "Ranks": "ranks",
    "Recipe": "recipe",
    "RecipeError": "recipe",
    "Report": "report",
    "ReportError": "report",
    "Row": "report",
    "Scores": "scores",
    "Split": "data",
    "Work": "work",
    "device_of": "devices",
    "evaluate": "scores",
    "fit": "loop",
    "fit_seeds": "seeds",
    "keep_pages": "heap",
    "latency": "speed",
    "load": "data",
    "parse_bytes": "budget",
    "parse_seconds": "budget",
}

__all__ = [
    "NAMES",
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
    "fit",
    "fit_seeds",
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
