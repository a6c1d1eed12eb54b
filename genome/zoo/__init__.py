"""The published networks, as genomes: builders that take the papers' settings, and names for those published."""

from __future__ import annotations

from collections.abc import Callable

from genome.fields import near
from genome.graph import Genome, GenomeError
from genome.zoo.pyramidnet import pyramidnet
from genome.zoo.resnet import resnet

__all__ = ["get", "names", "pyramidnet", "resnet"]

_NAMED: dict[str, Callable[[], Genome]] = {
    "pyramidnet-110-a48": lambda: pyramidnet(110, 48),
    "pyramidnet-110-a84": lambda: pyramidnet(110, 84),
    "pyramidnet-110-a270": lambda: pyramidnet(110, 270),
    "pyramidnet-110-m4.75": lambda: pyramidnet(110, 4.75, "multiply"),
    "pyramidnet-110-m27": lambda: pyramidnet(110, 27, "multiply"),
    "pyramidnet-164-a270-bottleneck": lambda: pyramidnet(164, 270, block="bottleneck"),
    "pyramidnet-272-a200-bottleneck": lambda: pyramidnet(272, 200, block="bottleneck"),
    "resnet-18": lambda: resnet(18),
    "resnet-34": lambda: resnet(34),
    "resnet-50": lambda: resnet(50),
    "resnet-101": lambda: resnet(101),
    "resnet-152": lambda: resnet(152),
}


def names() -> tuple[str, ...]:
    """The published settings that have a name."""
    return tuple(_NAMED)


def get(name: str) -> Genome:
    """The published network of that name. Raises GenomeError, with the names there are."""
    if name not in _NAMED:
        raise GenomeError(f"the zoo has no {name!r}{near(name, _NAMED)}; it has {', '.join(_NAMED)}")
    return _NAMED[name]()
