"""A trained network by its name: the folder of an export, or a trial of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import genome
from search.config.dataset import SHAPES, Dataset
from search.errors import StudyError
from search.results.export import stored_training, told_removed
from search.results.exported import load_network, load_weights
from search.results.refs import Opened, named, open_study, split_trial
from search.storage.data_facts import DataFacts
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE, RemovedWeights
from trainer import files
from trainer.data.layouts.registry import may_say
from trainer.data.reading import Reading

if TYPE_CHECKING:
    from genome import Plan
    from genome.network import Network
    from trainer import Data


class Trained(NamedTuple):
    """A network with its weights, and the images that it was trained on."""

    name: str
    network: Network  # in eval mode on the CPU
    plan: Plan
    facts: DataFacts
    weights: str  # sha256 of the file of its weights
    folder: Path | None  # of the export
    beside: Path  # the folder with the weights: that of the export or, within a study, that of the training
    data: Dataset | None  # that it was trained on, as far as this is known
    # report of its training; empty where it was trained elsewhere
    training: Mapping[str, Any] = MappingProxyType({})


def trained(ref: str, runs: Path, data_root: str | None) -> Trained:
    """Return the network that a folder of an export or STUDY#TRIAL names.

    Raises StudyError for a genome without weights, and whatever reading it raises.
    """
    if (Path(ref) / REPORT_FILE).exists() or any(Path(ref).glob(f"*-*/{REPORT_FILE}")):
        return _exported(Path(ref), data_root)
    study, number = split_trial(ref) if "#" in ref else (ref, None)
    if number is None:
        named(ref, runs)  # the name itself may be wrong
        raise StudyError(f"{ref} is a genome without trained weights; name an export, or STUDY#TRIAL")
    return _trial(open_study(study, runs, data_root), number, ref)


def images_of(one: Trained, name: str | None, root: str | None, reading: Reading) -> Data:
    """Return the images that a name tells, or those that the network was trained on.

    reading: how own images are read; what it leaves open of pixels is as in the training, and pictures become the size
    that the network reads.  Raises StudyError where neither is known, trainer.DataError for images that cannot be read.
    """
    if name is not None:
        own = Dataset(name, root, reading).found(None)
        return own.load() if name in SHAPES else replace(own, reading=_as_trained(one, own)).load()
    if one.data is None:
        raise StudyError(
            f"{one.name} does not tell what it was trained on; add `--data NAME`, such as --data digits"
        )
    return one.data.load()


def _as_trained(one: Trained, own: Dataset) -> Reading:
    """Return how own images are read: as in the training, in the network's size, but for the given answers."""
    allowed = may_say(own.name, own.reading)
    _, height, width = one.facts.input
    before = {"size": [height, width], **one.facts.reading}
    before = {key: value for key, value in before.items() if key in allowed}
    return Reading.parse({**before, **own.reading.given()})


def _exported(folder: Path, data_root: str | None) -> Trained:
    network, info = load_network(folder)
    plan = genome.resolve(genome.load(folder / GENOME_FILE))
    name = info.get("data")
    facts = _facts(info)
    data = Dataset(name, data_root) if isinstance(name, str) and name in SHAPES else None
    weights, training = info["files"][WEIGHTS_FILE], info.get("training") or {}
    return Trained(str(folder), network, plan, facts, weights, folder, folder, data, training)


def _facts(info: Mapping[str, Any]) -> DataFacts:
    """Return what a report says of the images; the shape and the classes were checked when it was read."""
    channels, height, width = info["input"]
    classes, mean, std = (tuple(info[key]) for key in ("classes", "mean", "std"))
    name, digest = str(info.get("data")), str(info.get("data_digest"))
    shape, depth = (channels, height, width), int(info.get("depth", 8))
    several, reading = info.get("multilabel") is True, info.get("reading", {})
    return DataFacts(name, digest, shape, classes, mean, std, {}, reading, depth, several)


def _trial(opened: Opened, number: int, ref: str) -> Trained:
    store, config = opened
    record = opened.trial(number)
    try:
        beside, (text, weights, training) = stored_training(store, config, record)
    except RemovedWeights as rule:
        raise StudyError(told_removed(config, record, rule)) from None
    except StudyError as error:
        raise StudyError(f"{ref} has no weights: {error}; name a trial that was finished here") from None
    facts = DataFacts.of_attrs(store.study.user_attrs) or DataFacts.of(config.data.load())
    plan = genome.resolve(genome.loads(text))
    network = genome.build(plan)
    load_weights(network, weights, beside / WEIGHTS_FILE)
    sha = files.sha256(weights)
    return Trained(ref, network.eval(), plan, facts, sha, None, beside, config.data, training)
