"""Latency of a network as built, in plain PyTorch and in the formats of exports, measured the same way for all."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import genome
from search.errors import StudyError
from search.results.exported import load_network
from search.results.formats import Format, Refused, checked_file, eager_milliseconds, file_of
from search.results.refs import is_file, named
from search.storage.data_facts import DataFacts
from search.storage.trial_files import GENOME_FILE

if TYPE_CHECKING:
    from genome import Plan
    from genome.network import Network

log = logging.getLogger("search")


class Latency(NamedTuple):
    """How long one form of a network takes."""

    network: str
    # built, plain, folded, or the file of a format
    form: str
    images: int
    threads: int
    # milliseconds: the median and the 95th percentile
    p50: float
    p95: float

    @property
    def images_per_second(self) -> float:
        return 1000 * self.images / self.p50

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self._asdict(), "images_per_second": self.images_per_second}


def latencies(
    ref: str, runs: Path, batches: Sequence[int], threads: int, formats: Sequence[Format]
) -> Iterator[Latency]:
    """Yield the latency of a network in each form, on the CPU.

    ref: a folder of an export, or a REF, whose weights are drawn.  formats: of files that are forms, too.

    Raises:
        StudyError, GenomeError: as reading it does.
    """
    from genome.plain.calls import PlainError
    from genome.plain.module import plain_module
    from search.results.pixels import Pixels

    network, plan, facts = _opened(ref, runs)

    def rows(form: str, found: dict[str, dict[str, float]]) -> Iterator[Latency]:
        for size, one in found.items():
            yield Latency(ref, form, int(size), threads, one["p50"], one["p95"])

    yield from rows("built", eager_milliseconds(network, facts.input, batches, threads))
    try:
        for form, fold in (("plain", False), ("folded", True)):
            plain = plain_module(network, plan, fold)
            yield from rows(form, eager_milliseconds(plain, facts.input, batches, threads))
        module = Pixels(network, plan, facts, fold=True)
    except PlainError as error:
        log.warning("%s is measured as built alone: %s", ref, error)
        return
    images = _noise(facts)
    for one in formats:
        try:
            seen = checked_file(one, file_of(one, module), module, images, batches, threads)
        except Refused as refused:
            seen = {"is_kept": False, "why": str(refused)}
        if seen["is_kept"]:
            yield from rows(f"{one.name}, folded", seen["milliseconds"])
        else:
            log.warning("%s of %s is left out: %s", one.file, ref, seen["why"])


def _opened(ref: str, runs: Path) -> tuple[Network, Plan, DataFacts]:
    folder = Path(ref)
    if not folder.exists() and not is_file(ref) and not {":", "#"} & set(ref):
        raise StudyError(
            f"{ref} does not exist; name the folder of an export, a YAML file, zoo:NAME or STUDY#TRIAL"
        )
    if folder.is_dir():
        module, info = load_network(folder)
        plan = genome.resolve(genome.load(folder / GENOME_FILE))
        channels, height, width = info["input"]
        classes, mean, std = (tuple(info[key]) for key in ("classes", "mean", "std"))
        facts = DataFacts(ref, "", (channels, height, width), classes, mean, std, images={})
        return module, plan, facts
    plan = genome.resolve(named(ref, runs).genome)
    channels, height, width = plan.genome.input
    classes = tuple(map(str, range(plan.genome.classes)))
    halves = (0.5,) * channels
    return (
        genome.build(plan).eval(),
        plan,
        DataFacts(ref, "", (channels, height, width), classes, halves, halves, {}),
    )


def _noise(facts: DataFacts) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (8, *facts.input), dtype=np.uint8)
