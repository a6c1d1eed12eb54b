"""Where a file goes wrong: the first call of the network whose map differs, or with which it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.results.formats.check import CLOSE, largest_difference, maps, ran, told
from search.results.formats.convert import file_of
from search.results.formats.format import Format, Refused

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from search.results.pixels import Pixels

IMAGES = 16  # that maps are compared on, at most


def told_place(one: Format, module: Pixels, images: npt.NDArray[np.uint8]) -> str:
    """Return which map is the first that differs, in words; empty where all maps are right when they stand alone.

    Networks of the first calls are converted and run. All maps behind n calls are right and some map behind n + 1 calls
    is not: the call between errs. images: (N, C, H, W).
    """
    images = images[:IMAGES]
    right, wrong, found = 0, len(module.program.made), ""
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if seen := _mistake(one, module.first(middle), images):
            wrong, found = middle, seen
        else:
            right = middle
    found = found or _mistake(one, module, images)
    if not found:
        return ""
    return found.format(node=module.program.told(wrong - 1))


def _mistake(one: Format, module: Pixels, images: npt.NDArray[np.uint8]) -> str:
    """Return what is wrong with maps, with a place for the name of a node; empty where nothing is."""
    try:
        found, _ = ran(one, file_of(one, module), module.outs, images)
    except Refused:
        return "the first node that fails is {node}"
    error = largest_difference(found, maps(module, images))
    return "" if error <= CLOSE else f"maps behind node {{node}} {told(error)}"
