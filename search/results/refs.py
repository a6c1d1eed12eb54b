"""REF: a genome, and for a trial its recipe, named by a YAML file, by `zoo:NAME`, or by `STUDY#TRIAL`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import genome
from genome import Genome, GenomeError
from genome.op import Shape
from search.config.candidate import recipe_of
from search.config.read import parse_study, read_begun
from search.config.removed import report_removed
from search.config.study import StudyConfig
from search.errors import StudyError
from search.space.point import NOTHING_SEARCHED, Searched
from search.storage.damage import damage_of
from search.storage.data_facts import with_stored_shape
from search.storage.record import Record
from search.storage.study import TEXT_ATTR, Store, check_format, open_to_read
from trainer import Recipe

if TYPE_CHECKING:
    from trainer import Data


class Named(NamedTuple):
    """What a REF names."""

    genome: Genome
    # of a trial: the values of its recipe that its study searches, and the whole recipe
    searched: Searched = NOTHING_SEARCHED
    recipe: Recipe | None = None


class Opened(NamedTuple):
    """An existing study, to be read."""

    store: Store
    config: StudyConfig

    def named(self, record: Record) -> Named:
        """Return the genome and the recipe of a trial that has a genome."""
        assert record.genome is not None
        written = genome.loads(record.genome, path=f"{self.config.name}#{record.number}")
        recipes = self.config.train
        if recipes.auto_batch:
            return Named(
                written, record.searched, recipe_of(genome.resolve(written), record.searched, recipes)
            )
        return Named(written, record.searched, recipes.recipe(record.searched))

    def trial(self, number: int) -> Record:
        """Return one trial. Raises StudyError when there is none of that number, or none with a genome."""
        found = next((r for r in self.store.records() if r.number == number), None)
        if found is None:
            raise StudyError(
                f"study {self.config.name} has no trial {number}; see `genome best {self.config.name} --all`"
            )
        if found.genome is None:
            raise StudyError(
                f"trial {number} of study {self.config.name} has no genome ({found.reason or found.outcome})"
            )
        return found


def open_study(name: str, runs: Path, data_root: str | None = None) -> Opened:
    """Open a study by its name in `runs`, or by its YAML file, to read it; it may be running meanwhile."""
    name, url = place_of(name, data_root)
    store = open_to_read(name, runs, url)
    with damage_of(name):
        attrs = store.study.user_attrs
        check_format(attrs, name)
        config = parse_study(attrs[TEXT_ATTR], f"{name} as begun", data_root)
    return Opened(store, with_stored_shape(config, attrs))


def place_of(study: str, data_root: str | None = None) -> tuple[str, str | None]:
    """Return the name of a study, and the URL of its storage where its file names one."""
    if not is_file(study):
        return study, None
    config = read_begun(study, data_root)
    return config.name, config.storage


def check_removed(config: StudyConfig, runs: Path) -> None:
    """Raise StudyError where a file has keys that were removed, unless its study was begun by an earlier version."""
    if not config.removed:
        return
    try:
        open_to_read(config.name, runs, config.storage).close()
    except StudyError:
        raise StudyError("\n".join(config.removed)) from None
    report_removed(config)


def is_file(study: str) -> bool:
    """Whether a study is named by its file, not by its name."""
    return study.endswith((".yaml", ".yml"))


def named(ref: str, runs: Path, folder: Path = Path()) -> Named:
    """Return the genome that a REF names, and the recipe of a trial; a file's path is relative to `folder`.

    Raises StudyError, GenomeError for a name that the zoo has not, or SourceError with `file:line`.
    """
    if ref.startswith("zoo:"):
        return Named(genome.zoo.get(ref.removeprefix("zoo:")))
    study, mark, number = ref.rpartition("#")
    if mark and not (folder / ref).exists():
        return _trial(study, number, runs, folder)
    return Named(genome.load(folder / ref))


def names_genome(ref: str) -> bool:
    """Whether a REF names a genome, without a training: `zoo:NAME`, or the YAML file of a genome."""
    if ref.startswith("zoo:"):
        return True
    if not is_file(ref) or not Path(ref).is_file():
        return False
    from genome.yaml.source import read

    found = read(Path(ref)).value
    return "genome" in found and "study" not in found


def fitted(network: Genome, data: Data) -> Genome:
    """Return a genome for the images and classes of some data. Raises StudyError where it cannot be built for them."""
    shape, classes = Shape(*data.input), len(data.classes)
    if (network.input, network.classes) == (shape, classes):
        return network
    changed = replace(network, input=shape, classes=classes)
    try:
        genome.resolve(changed)
    except GenomeError as error:
        made = f"{network.name} is made for images of {network.input}"
        raise StudyError(f"{made} and does not fit those of {data.name}, {shape}: {error}") from None
    return changed


def split_trial(ref: str) -> tuple[str, int | None]:
    """Split STUDY or STUDY#TRIAL. Raises StudyError when what follows # is no number."""
    study, mark, number = ref.partition("#")
    if mark and not (number.isascii() and number.isdigit()):
        raise StudyError(
            f"{ref!r} names no trial; write {study or 'STUDY'}#NUMBER, such as {study or 'STUDY'}#12"
        )
    return study, int(number) if mark else None


def _trial(study: str, number: str, runs: Path, folder: Path) -> Named:
    name, trial = split_trial(f"{study}#{number}")
    assert trial is not None
    opened = open_study(str(folder / name) if is_file(name) else name, runs)
    return opened.named(opened.trial(trial))
