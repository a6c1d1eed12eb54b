"""References: published networks, scaled to the limits of a study and to its images, that it trains first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

import genome
from genome import Genome, GenomeError, Shape
from genome.zoo import scale
from search.config.candidate import candidate, measured
from search.config.study import StudyConfig
from search.samplers.base import OUTSIDE, REFERENCE, Origin
from search.space.adapt import fitted
from search.space.point import Point
from search.storage.study import Store

log = logging.getLogger("search")

REFERENCES = "references"  # attribute of a study: the texts of its references by name
ZOO = "zoo:"


class Reference(NamedTuple):
    """One published network as a study trains it."""

    name: str
    point: Point
    is_inside: bool  # whether the space of the study holds it

    @property
    def origin(self) -> Origin:
        return Origin(REFERENCE, moves=(self.name,) if self.is_inside else (self.name, OUTSIDE))


def found(config: StudyConfig) -> dict[str, Genome | None]:
    """Return the scaled network of each word under `references:`, None where no scaling is inside the limits."""
    return {word: _scaled(word, config) for word in config.references}


def mistakes(config: StudyConfig) -> list[str]:
    """Return a line for each reference of the file that no scaling brings into the limits of the study."""
    if not isinstance(config.source.value.get(REFERENCES), list):
        return []
    return [
        str(
            config.source.error(
                (REFERENCES, place),
                f"references: no scaling of {word} is inside the limits of the study; raise these, or take it out",
            )
        )
        for place, word in enumerate(config.source.value[REFERENCES])
        if _scaled(word, config) is None
    ]


def stored(store: Store, config: StudyConfig) -> list[Reference]:
    """Return the references of a study. A new study chooses and stores them; one that was begun without has none."""
    if not config.references:
        return []
    texts = store.study.user_attrs.get(REFERENCES)
    if texts is None:
        texts = {} if store.records() else _chosen(config)
        store.study.set_user_attr(REFERENCES, texts)
    return [_reference(name, genome.loads(text), config) for name, text in texts.items()]


def members(references: Sequence[Reference]) -> list[Reference]:
    """Return the references that the space holds, for a sampler that knows no other networks; the log says the rest."""
    for one in references:
        if not one.is_inside:
            log.warning("reference %s left out: the sampler learns of networks of its space alone", one.name)
    return [one for one in references if one.is_inside]


def _chosen(config: StudyConfig) -> Mapping[str, str]:
    """Return the text of each reference by name, in the order in which they are trained."""
    networks = []
    for word, network in found(config).items():
        if network is None:
            log.warning("reference %s left out: no scaling of it is inside the limits of the study", word)
        else:
            networks.append(network)
    return {network.name: genome.dump(network) for network in _promising_first(networks, config)}


def _promising_first(networks: Sequence[Genome], config: StudyConfig) -> list[Genome]:
    """Return networks by what experience of other images foretells: the budget may not pay for all of them.

    Those that a study file lists keep their order.
    """
    if len(config.objectives) > 1 or isinstance(config.source.value.get(REFERENCES), list):
        return list(networks)
    from search.samplers.surrogate.experience import named
    from search.samplers.surrogate.model import Surrogate  # loads SciPy

    foretold = Surrogate(config.space, config.seed, named(config.experience)).foretold(
        [genome.resolve(one) for one in networks]
    )
    order = sorted(range(len(networks)), key=lambda i: foretold[i])
    return [networks[i] for i in order]


def _scaled(word: str, config: StudyConfig) -> Genome | None:
    """Return a published network, or that of a family, at the widest inside the limits."""
    shape, classes = config.data.shape()
    try:
        if word.startswith(ZOO):
            published = genome.zoo.get(word.removeprefix(ZOO))
            widest = scale.widest(replace(published, input=Shape(*shape), classes=classes), config.limits)
            network = widest.genome if widest else None
        else:
            network = scale.fitted(word, shape, classes, config.limits)
        return network if network and _is_inside(network, config) else None
    except GenomeError:  # it cannot be built for these images
        return None


def _is_inside(network: Genome, config: StudyConfig) -> bool:
    """Whether a network exceeds no limit, that of the memory to train it included."""
    return all(excess.over <= 0 for excess in measured(candidate(Point(network), config.train), config))


def _reference(name: str, network: Genome, config: StudyConfig) -> Reference:
    """Return a reference, as a genome of the space where it has one, with the recipe that the study begins with."""
    space, recipe = config.space, config.recipe.to_dict()
    fit = fitted(space, network)
    searched = space.recipes.completed(recipe, Random(f"{config.seed}/{name}"))
    return Reference(name, Point(fit.genome or network, searched), fit.genome is not None)
