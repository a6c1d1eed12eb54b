"""Inheritance of weights: a network begins with those of the trial that its genome was made from.

What comes of it depends on the parent's training too, so it may guide a search and is no verdict on an architecture.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from search.storage.trial_files import CHECKPOINT_FILE, GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    from genome import Genome
    from genome.network import Network

log = logging.getLogger("search")

NOTE_FILE = (
    f"{CHECKPOINT_FILE}.inherited"  # beside the checkpoint of a trial that inherited, and cleared with it
)


class Inheritance(NamedTuple):
    """The trial whose weights a network began with, and the share of its parameters that come from there."""

    parent: int
    share: float

    def to_json(self) -> dict[str, Any]:
        """Return it as a report and a trial keep it."""
        return {"from": self.parent, "share": round(self.share, 4)}


def transfer_weights(network: Network, written: Genome, folder: str) -> Inheritance | None:
    """Give a network the weights in its parent's folder; None where they are missing or damaged, as the log says.

    The network is then as it was.
    """
    import safetensors.torch

    import genome
    from genome.transfer import transfer

    kept = Path(folder)
    try:
        number = int(
            json.loads((kept / REPORT_FILE).read_bytes())["number"]
        )  # written last: the trial is whole
        parent = genome.resolve(genome.load(kept / GENOME_FILE))
        weights = safetensors.torch.load_file(kept / WEIGHTS_FILE)
        found = transfer(parent, weights, genome.resolve(written), network)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        log.warning("nothing is inherited from %s: %s", folder, " ".join(str(error).split()))
        return None
    return Inheritance(number, found.share)


def inherit(network: Network, written: Genome, parent: str, folder: str) -> Inheritance | None:
    """`transfer_weights`, noted in the trial's folder for whoever goes on from its checkpoint."""
    found = transfer_weights(network, written, parent)
    files.write(Path(folder, NOTE_FILE), json.dumps(found.to_json() if found else None).encode())
    return found


def noted_inheritance(folders: Sequence[str]) -> Inheritance | None:
    """What a training that is gone on with began with, by the note in the nearest of these folders."""
    for folder in folders:
        try:
            noted = json.loads(Path(folder, NOTE_FILE).read_bytes())
        except (OSError, ValueError):
            continue
        return Inheritance(noted["from"], noted["share"]) if noted else None
    return None
