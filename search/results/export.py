"""What a user takes home: a folder with a network's genome, weights, plain PyTorch, report and card."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from search.config.study import StudyConfig
from search.errors import StudyError
from search.objective import Objective, learnt
from search.results.earlier import edited, others_in, own_files
from search.results.lineage import lineage
from search.results.packing import PLAIN, Options, Trained, packed
from search.storage.data_facts import DataFacts
from search.storage.record import Record
from search.storage.study import DATA_ATTR, Store
from search.storage.trial_files import RemovedWeights, TrainingFiles
from search.storage.trial_report import STOPPED
from trainer import files

if TYPE_CHECKING:
    from trainer import Data

log = logging.getLogger("search")

WeightsOf: TypeAlias = Literal["best", "search", "finale"]


class StoredTraining(NamedTuple):
    """A training whose weights can be handed out."""

    folder: Path
    files: TrainingFiles


class Images(NamedTuple):
    """The images of a study, and what is known of them."""

    facts: DataFacts
    # None where they are missing or have changed
    data: Data | None


def export(
    store: Store,
    config: StudyConfig,
    record: Record,
    to: Path,
    data: Data | None = None,
    weights_of: WeightsOf = "best",
    options: Options = PLAIN,
) -> Path:
    """Write the export of one trial into a folder, and return the folder.

    The weights are those of the training that did best on the validation images: that of the search, or one of the
    finale, where it retrained the network. weights_of: `search` or `finale` for the best of either alone.

    The test images are scored here, once for each export, and nowhere else; where they are missing, the report has no
    test accuracy and the log says so. An earlier export in `to` is replaced as a whole; any other folder that is not
    empty is refused. What a person added to an earlier export stays there. Raises StudyError.
    """
    others_in(to)  # refuses a folder of other things before any work
    images = Images(DataFacts.of(data), data) if data else images_of(store, config)
    trained = trained_of(store, config, record, store.records(), images, weights_of)
    return write(trained, to, options)


def write(trained: Trained, to: Path, options: Options = PLAIN) -> Path:
    """Write the export of a network into a folder, in place of an earlier export, and return the folder.

    Raises StudyError where the folder holds other things, or the weights are not the genome's.
    """
    others = others_in(to)
    content = packed(trained, options)
    changed = edited(to, others, content)
    for name in changed:
        log.warning("%s in %s was changed by hand; it is kept as %s", name.rpartition(".before")[0], to, name)
    if gone := sorted(own_files(to) - set(content)):
        log.warning("%s is written anew without the earlier %s", to, ", ".join(gone))
    kept = [name for name in others if name not in content]
    files.write_folder(to.resolve(), content | changed, kept)  # not the link that leads there
    return to


def trained_of(
    store: Store,
    config: StudyConfig,
    record: Record,
    records: Sequence[Record],
    images: Images,
    weights_of: WeightsOf = "best",
) -> Trained:
    """Return a trial's network and what is known of it. records: all trials of the study. Raises StudyError."""
    try:
        _, (text, weights, training) = stored_training(store, config, record, weights_of)
    except RemovedWeights as rule:
        raise StudyError(told_removed(config, record, rule)) from None
    except StudyError as error:
        raise StudyError(
            f"trial {record.number} of study {config.name} has no weights: {error}; "
            "export where it was trained, or a trial that was finished"
        ) from None
    about = _about(config, record, records, training)
    name = f"{config.name}, trial {record.number}"
    return Trained(name, text, weights, images.facts, images.data, about, training)


def told_removed(config: StudyConfig, record: Record, rule: RemovedWeights) -> str:
    """Return that the weights of a trial were removed, and how to get some."""
    has_finale = record.finale is not None and record.finale.measured
    again = f"train it again with `genome train {config.name}#{record.number} --data {config.data.name}`"
    mend = "give those of the finale with --weights finale" if has_finale else again
    return f"the weights of trial {record.number} of study {config.name} were removed by its rule `{rule}`; {mend}"


def _about(
    config: StudyConfig, record: Record, records: Sequence[Record], training: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where a trial's network comes from, as its report has it."""
    return {
        "study": config.name,
        "trial": record.number,
        "objectives": dict(config.objectives),
        "seeds": {"study": config.seed, "train": training["seed"]},
        **({"recipe": dict(record.searched)} if record.searched else {}),
        **({"latency": record.latency.to_json()} if record.latency else {}),
        **({STOPPED: training[STOPPED]} if STOPPED in training else {}),
        **({"over_seeds": record.finale.to_json()} if record.finale else {}),
        "budget": {
            "seconds": sum(one.seconds for one in records),
            "limit_seconds": config.budget.device_time,
            "trials": len(records),
            "trial_seconds": record.seconds,
        },
        "lineage": lineage(record, records, learnt(config.objectives)),
    }


def images_of(store: Store, config: StudyConfig) -> Images:
    """Return the images of a study; a line in the log says where they are missing or have changed.

    Raises StudyError for a study that has stored nothing about its images where these are missing or have changed.
    """
    from trainer import DataError

    attrs = store.study.user_attrs
    facts = DataFacts.of_attrs(attrs)
    try:
        data = config.data.load()
        if data.digest() == attrs[DATA_ATTR]:
            return Images(facts or DataFacts.of(data), data)
        missing = f"the images of {data.name} differ from those that study {config.name} began with"
    except DataError as error:
        missing = str(error)
    if facts is None:
        raise StudyError(
            f"{missing}; study {config.name} was begun by an earlier version and stored nothing about its images: "
            "put them back, or resume the study once where they are"
        )
    log.warning("%s: the report of the export has no test accuracy", missing)
    return Images(facts, None)


def stored_training(
    store: Store, config: StudyConfig, record: Record, weights_of: WeightsOf = "best"
) -> StoredTraining:
    """Return the training whose weights a trial's network is handed out with.

    Where the best weights are those of the search, and were removed, these are the best of the finale, if there are
    any. Raises StudyError.
    """
    trial, seed = training_of(record, learnt(config.objectives), weights_of)
    place = store.place(trial, seed)
    try:
        return StoredTraining(place.folder, place.read((record.digest, trial)))
    except RemovedWeights:
        if weights_of != "best" or record.finale is None or not record.finale.measured:
            raise
    return stored_training(store, config, record, "finale")


def training_of(record: Record, goal: Objective, weights_of: WeightsOf = "best") -> tuple[int, int | None]:
    """Return the trial that trained a network, and the seed of the finale, None for the training of the search.

    Raises StudyError, as `exported_seed`.
    """
    seed = exported_seed(record, goal, weights_of)
    return (record.number if seed is not None or record.reused is None else record.reused), seed


def exported_seed(record: Record, goal: Objective, weights_of: WeightsOf = "best") -> int | None:
    """Return the seed of the finale whose weights are exported, None where they are those of the search.

    Raises StudyError where the finale has not trained the network.
    """
    if weights_of == "search":
        return None
    if weights_of == "best":
        return record.finale.best(goal) if record.finale else None
    seed = record.finale.best_of_finale(goal) if record.finale else None
    if seed is None:
        raise StudyError(
            f"the finale has no weights of trial {record.number}; export those of the search, without --weights finale"
        )
    return seed
