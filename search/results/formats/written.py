"""The files of an exported network for other runtimes, each checked before it is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.results.formats.check import checked_file, eager_milliseconds
from search.results.formats.format import Format
from search.results.formats.quiet import quiet
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

    A file whose logits are not the network's is left out, and the log says so.
    network: with its trained weights, in eval mode.  images: (N, C, H, W) to compare on.  fold: norms are part of the
    convolutions beside them.
    """
    from search.results.pixels import Pixels

    module = Pixels(network, plan, facts, fold)
    content, checked = dict[str, bytes](), dict[str, Any]()
    for one in formats:
        stored = file_of(one, module, plan, facts)
        seen = checked[one.name] = checked_file(one, stored, module, images)
        if seen["is_kept"]:
            content |= stored
        else:
            log.warning("%s is not written: %s", one.file, seen["why"])
    return content, {"fold": fold, "eager": eager_milliseconds(network, facts.input), "checked": checked}


def file_of(one: Format, module: Pixels, plan: Plan, facts: DataFacts) -> Mapping[str, bytes]:
    """Return the files of a network in a format, by name."""
    import torch

    exits = [f"exit_{plan.steps[i].node.name}" for i in plan.exits]
    about = {"classes": json.dumps(list(facts.classes)), "input": json.dumps(list(facts.input))}
    with quiet():
        return one.write(module, torch.zeros(2, *facts.input, dtype=torch.uint8), exits, about)
