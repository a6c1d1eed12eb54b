"""The files of an exported network for other runtimes, each checked before it is kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.results.formats.check import checked_file, eager_milliseconds
from search.results.formats.convert import file_of
from search.results.formats.format import Format, Refused
from search.results.formats.locate import told_place
from search.storage.data_facts import DataFacts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from genome import Plan
    from genome.network import Network
    from search.results.pixels import Pixels

log = logging.getLogger("search")

FORMATS_KEY = "formats"  # of a report
IMAGES = 256  # that each file is checked on, at most


def written(
    network: Network,
    plan: Plan,
    facts: DataFacts,
    images: npt.NDArray[np.uint8],
    formats: Sequence[Format],
    fold: bool,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of formats by name, and what was seen when each ran in a fresh process, beside the network.

    A file whose logits are not the network's is left out, and the log says so, with the node that differs.
    network: with its trained weights, in eval mode.  images: (N, C, H, W) to compare on.  fold: norms are part of the
    convolutions beside them.
    """
    from search.results.pixels import Pixels

    module = Pixels(network, plan, facts, fold)
    content, checked = dict[str, bytes](), dict[str, Any]()
    for one in formats:
        stored, seen = _tried(one, module, images)
        checked[one.name] = seen
        if seen["is_kept"]:
            content |= stored
        else:
            log.warning("%s is not written: %s", one.file, seen["why"])
    return content, {"fold": fold, "eager": eager_milliseconds(network, facts.input), "checked": checked}


def _tried(
    one: Format, module: Pixels, images: npt.NDArray[np.uint8]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of a format, and what was seen when they ran."""
    stored = dict[str, bytes]()
    try:
        stored = file_of(one, module)
        seen = checked_file(one, stored, module, images)
    except Refused as refused:
        seen = {"is_kept": False, "why": str(refused)}
    if not seen["is_kept"] and (place := told_place(one, module, images)):
        seen["why"] += f"; {place}"
    return stored, seen
