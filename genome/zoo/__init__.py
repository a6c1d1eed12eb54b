"""The published networks as genomes: builders with the parameters of the papers, and names for published settings."""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.yaml.fields import near
from genome.zoo.active import PUBLISHED as ACTIVE
from genome.zoo.active import active_plain, active_resnet
from genome.zoo.alexnet import PUBLISHED as ALEXNET
from genome.zoo.alexnet import alexnet
from genome.zoo.branchynet import PUBLISHED as BRANCHYNET
from genome.zoo.branchynet import branchy_alexnet, branchy_lenet, branchy_resnet
from genome.zoo.cliquenet import PUBLISHED as CLIQUENET
from genome.zoo.cliquenet import cliquenet, cliquenet_imagenet
from genome.zoo.deformable import PUBLISHED as DEFORMABLE
from genome.zoo.deformable import deformable_resnet
from genome.zoo.densenet import PUBLISHED as DENSENET
from genome.zoo.densenet import densenet
from genome.zoo.entry import Entry
from genome.zoo.fractalnet import PUBLISHED as FRACTALNET
from genome.zoo.fractalnet import fractalnet
from genome.zoo.lenet import PUBLISHED as LENET
from genome.zoo.lenet import lenet
from genome.zoo.mobilenet import PUBLISHED as MOBILENET
from genome.zoo.mobilenet import mobilenet_v1
from genome.zoo.nin import PUBLISHED as NIN
from genome.zoo.nin import nin
from genome.zoo.pnn import PUBLISHED as PNN
from genome.zoo.pnn import pnn_resnet
from genome.zoo.pyramidnet import PUBLISHED as PYRAMIDNET
from genome.zoo.pyramidnet import pyramidnet
from genome.zoo.resnet import PUBLISHED as RESNET
from genome.zoo.resnet import resnet

__all__ = [
    "Entry",
    "active_plain",
    "active_resnet",
    "alexnet",
    "branchy_alexnet",
    "branchy_lenet",
    "branchy_resnet",
    "cliquenet",
    "cliquenet_imagenet",
    "deformable_resnet",
    "densenet",
    "entry",
    "fractalnet",
    "get",
    "lenet",
    "mobilenet_v1",
    "names",
    "nin",
    "pnn_resnet",
    "pyramidnet",
    "resnet",
]

_ENTRIES: dict[str, Entry] = {
    **NIN, **PYRAMIDNET, **FRACTALNET, **CLIQUENET, **PNN, **MOBILENET, **ACTIVE, **DEFORMABLE, **BRANCHYNET,
    **LENET, **ALEXNET, **RESNET, **DENSENET,
}  # fmt: skip


def names() -> tuple[str, ...]:
    """The names of the published networks."""
    return tuple(_ENTRIES)


def entry(name: str) -> Entry:
    """The entry of a published network.

    Raises:
        GenomeError: an unknown name; the message suggests a similar one.
    """
    if name not in _ENTRIES:
        raise GenomeError(
            f"the zoo has no network {name!r}{near(name, _ENTRIES)}; `genome zoo` lists its {len(_ENTRIES)} networks"
        )
    return _ENTRIES[name]


def get(name: str) -> Genome:
    """The genome of a published network.

    Raises:
        GenomeError: as `entry`.
    """
    return entry(name).build().renamed(name)
