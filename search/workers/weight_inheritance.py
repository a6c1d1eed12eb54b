"""Weight inheritance: a network begins with the weights of the trial from whose genome it was made.

The result depends on the training of the parent too, so it may guide a search but does not measure an architecture.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from search.errors import StudyError
from search.storage.place import Place
from search.storage.trial_files import NOTE_FILE
from trainer import files

if TYPE_CHECKING:
    from genome import Genome
    from genome.network import Network
    from search.storage.artifacts import Artifacts

log = logging.getLogger("search")


class Inheritance(NamedTuple):
    """Where the first weights of a network came from."""

    # number of the trial
    parent: int
    # of the parameters of the network that come from there
    share: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as a report and a trial store them."""
        return {"from": self.parent, "share": round(self.share, 4)}


def transfer_weights(
    network: Network, written: Genome, folder: str, artifacts: Artifacts | None = None
) -> Inheritance | None:
    """Copy the weights in its parent's folder to a network.

    Returns None, logs the reason and leaves the network as it was where the weights are missing or damaged.
    """
    import safetensors.torch

    import genome
    from genome.transfer import transfer

    try:
        text, weights, report = Place(Path(folder), artifacts).read()
        number = int(report["number"])
        parent = genome.resolve(genome.loads(text))
        found = transfer(parent, safetensors.torch.load(weights), genome.resolve(written), network)
    except (StudyError, OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        log.warning("no weights inherited from %s: %s", folder, " ".join(str(error).split()))
        return None
    return Inheritance(number, found.share)


def inherit(
    network: Network, written: Genome, parent: str, folder: str, artifacts: Artifacts | None = None
) -> Inheritance | None:
    """Do `transfer_weights`, and store what was inherited in the trial's folder, for a resumed training."""
    found = transfer_weights(network, written, parent, artifacts)
    files.write(Path(folder, NOTE_FILE), json.dumps(found.to_json() if found else None).encode())
    return found


def noted_inheritance(folders: Sequence[str]) -> Inheritance | None:
    """Return what a resumed training had inherited, as the nearest of these folders has it stored."""
    for folder in folders:
        try:
            noted = json.loads(Path(folder, NOTE_FILE).read_bytes())
        except (OSError, ValueError):
            continue
        return Inheritance(noted["from"], noted["share"]) if noted else None
    return None
