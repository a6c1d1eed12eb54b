"""Evaluating a trained network, and storing the evaluation in its export or beside the weights of its trial."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import genome
from search.config.study import StudyConfig
from search.errors import StudyError
from search.results.additions import add_to_export
from search.results.evaluation.evaluation import Evaluation, evaluation
from search.results.evaluation.file import EVALUATION_FILE, to_json
from search.results.export import StoredTraining, stored_training
from search.results.exported import load_weights
from search.results.packing import written_json
from search.results.scores import scored
from search.results.trained import Trained
from search.storage.record import Record
from search.storage.study import Store
from search.storage.trial_files import WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    from trainer import Data


def evaluated(one: Trained, data: Data) -> Evaluation:
    """Return the evaluation of a network on its validation images.

    Raises StudyError for other images than those that it was trained on, of which some may be train images.
    """
    if not one.training:
        raise StudyError(f"{one.name} was trained elsewhere: its validation images are not known")
    if data.digest() != one.facts.digest:
        raise StudyError(
            f"the images of {data.name} differ from those that {one.name} was trained on, so that its validation "
            "images are not known; give the same images, read in the same way"
        )
    scores = scored(one.network, data.valid, data, one.training, logits=True)
    if scores is None:
        raise StudyError(f"{data.name} has no validation images")
    found = evaluation(scores, data, one.weights)
    if found is None:
        raise StudyError(f"the answers of {one.name} to validation images are not numbers; train it again")
    return found


def write_evaluation(one: Trained, found: Evaluation) -> None:
    """Store an evaluation in the export, with its sha256 in the report, or beside the weights of the trial."""
    if one.folder is None:
        write_beside(one.beside, found)
    else:
        add_to_export(one.folder, {EVALUATION_FILE: written_json(to_json(found))}, EVALUATION_FILE)


def write_beside(folder: Path, found: Evaluation) -> None:
    """Write evaluation.json, with the sha256 of itself, beside the weights of a trial; the dashboard shows it."""
    files.write(folder / EVALUATION_FILE, files.sealed(to_json(found)))


def evaluate_retrained(store: Store, config: StudyConfig, records: Iterable[Record], data: Data) -> None:
    """Store the evaluation of each network that the finale retrained, where its weights are here and have none yet."""
    for record in records:
        if record.finale is None or not record.finale.measured:
            continue
        try:
            training = stored_training(store, config, record)
        except StudyError:  # the weights are on another machine, or were removed
            continue
        if found := _missing(training, data):
            write_beside(training.folder, found)


def _missing(training: StoredTraining, data: Data) -> Evaluation | None:
    """The evaluation of a stored training; None where the one beside it is of these weights."""
    folder, (text, weights, report) = training
    sha = files.sha256(weights)
    stored = folder / EVALUATION_FILE
    known = files.unsealed(stored.read_bytes()) if stored.is_file() else None
    if known is not None and known.get("weights") == sha:
        return None
    network = genome.build(genome.resolve(genome.loads(text)))
    load_weights(network, weights, folder / WEIGHTS_FILE)
    scores = scored(network, data.valid, data, report, logits=True)
    return evaluation(scores, data, sha) if scores else None
