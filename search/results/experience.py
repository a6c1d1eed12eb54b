"""Experience of finished studies: their networks with what these came to, for the samplers of later studies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from search.errors import StudyError
from search.results.refs import Opened
from search.samplers.base import SUFFIX, Origin
from search.samplers.surrogate.experience import FEWEST, FILE, ExperienceError, Trained, read, written
from search.samplers.surrogate.model import Surrogate
from search.storage.record import Record
from trainer import files


def write(studies: Iterable[Opened], to: Path) -> list[Trained]:
    """Write the experience of the package and that of these studies to a file; return that of the studies.

    Raises:
        StudyError: a study whose networks were not trained alike, or too few of them, or a file that is no experience
            and would be replaced; nothing is written then.
    """
    _check_target(to)
    found = [trained(one) for one in {one.config.name: one for one in studies}.values()]
    files.write(to, written([*read(FILE.read_bytes()), *found]))
    return found


def _check_target(to: Path) -> None:
    if not to.name.endswith(SUFFIX):
        raise StudyError(f"--to is {str(to)!r}; name a file that ends with {SUFFIX}, such as mine{SUFFIX}")
    if not to.exists() and not to.is_symlink():
        return
    try:
        if not to.is_file():
            raise ExperienceError("is no plain file")
        read(to.read_bytes())
    except ExperienceError as error:
        raise StudyError(f"{to} {error}; it is not replaced: name another file") from None


def trained(study: Opened) -> Trained:
    """Return the networks of a study that were trained to the end, with their validation accuracy.

    Raises:
        StudyError: their recipe was searched, their weights were inherited, or there are too few of them.
    """
    config, records = study.config, [one for one in study.store.records() if _is_whole(one)]
    if config.train.holes or config.inherits:
        how = "searches its recipe" if config.train.holes else "inherits weights"
        raise StudyError(
            f"study {config.name} {how}, so that its networks were not trained alike; leave the study out"
        )
    if len(records) < FEWEST:
        raise StudyError(
            f"study {config.name} has {len(records)} networks that were trained to the end; experience needs "
            f"{FEWEST} or more, so leave the study out"
        )
    return Trained(
        config.name,
        *Surrogate(config.space, config.seed).units,
        tuple(str(one.genome) for one in records),
        tuple(one.metrics["accuracy"] for one in records),
        tuple(_is_drawn(one.origin) for one in records),
    )


def _is_whole(one: Record) -> bool:
    return (
        one.outcome == "done" and one.reused is None and one.genome is not None and "accuracy" in one.metrics
    )


def _is_drawn(origin: Origin | None) -> bool:
    """Whether a network was drawn, not made of others, bred, widened or published."""
    return origin is None or not (origin.parents or origin.moves)
