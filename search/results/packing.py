"""The files of an export: what is known of a trained network, packed for people and for programs."""

from __future__ import annotations

import json
import logging
import math
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from search.results.card.card import card
from search.results.card.hub import hub_files
from search.results.card.picture import EXAMPLE_FILE, example
from search.results.evaluation.evaluation import evaluation
from search.results.evaluation.file import EVALUATION_FILE, to_json
from search.results.exported import CARD_FILE, FORMAT, load_weights
from search.results.formats import FORMATS_KEY, IMAGES, Format, written
from search.results.model_file import READ_AS, model_files, reads_pictures
from search.results.scores import class_scores, scored
from search.storage.data_facts import DataFacts
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from genome import Genome, Plan
    from trainer import Data
    from trainer.loop.evaluation import Scores

log = logging.getLogger("search")

PICTURE_FILE = "architecture.svg"
# a list of numbers that an indented JSON spreads over many lines; inside a text a line never ends
NUMBERS = re.compile(r"\[\n\s+(?:(?:-?\d[\d.eE+-]*|null),\n\s+)*(?:-?\d[\d.eE+-]*|null)\n\s+\]")


class Trained(NamedTuple):
    """A network that is to be exported, and what is known of it."""

    # as people read it
    name: str
    # of the genome
    text: str
    # as safetensors
    weights: bytes
    facts: DataFacts
    # the images that `facts` describe; None where they are missing: the report then has no test accuracy
    data: Data | None
    # where the network comes from; it stands in the report
    about: Mapping[str, Any]
    # report of its training as plain values; None where it was trained elsewhere
    training: Mapping[str, Any] | None


class Options(NamedTuple):
    """What an export holds beside the network, its report and its card."""

    # of further files for other runtimes; each is run in a fresh process and compared first
    formats: Sequence[Format] = ()
    # whether norms are part of the convolutions beside them, in these files and in model.py
    fold: bool = False
    # whether the folder has what model hubs read
    hub: bool = False


PLAIN = Options()


def packed(trained: Trained, options: Options = PLAIN) -> dict[str, bytes]:
    """Return the files of an export by name. The test images are scored here, once, and nowhere else.

    Raises StudyError for weights that are not the genome's, and files that cannot take the images.
    """
    import genome

    if options.formats:
        trained.facts.check_files()
    read = genome.loads(trained.text)
    plan = genome.resolve(read)
    network = genome.build(plan)
    load_weights(network, trained.weights, Path(WEIGHTS_FILE))
    facts = trained.facts
    test, valid = _scores(network, trained)
    network.cpu()
    shown = example(trained.data, test)
    content = {
        GENOME_FILE: trained.text.encode(),
        WEIGHTS_FILE: trained.weights,
        **model_files(network, plan, facts, trained.name, options.fold, options.hub),
        **_picture(read),
        **({EXAMPLE_FILE: shown.png} if shown else {}),
        **_evaluation(trained, valid),
    }
    if test is not None and not math.isfinite(test.loss):
        log.warning("the network's answers to test images are not numbers; its weights are of no use")
    info = _info(plan, trained, test, valid)
    if shown:
        info["example"] = {"class": shown.wanted, "predicted": shown.predicted}
    if options.formats:
        network.eval()
        images = _compared_on(trained.data, facts)
        made, seen = written(network, plan, facts, images, options.formats, options.fold)
        content |= made
        info[FORMATS_KEY] = {"test_images": trained.data is not None, **seen}
    info = finite(info)
    if options.hub:
        content |= hub_files(info, trained.name)
    content[CARD_FILE] = card(info, trained.name, content, options.hub).encode()
    info["files"] = {file: files.sha256(stored) for file, stored in content.items()}
    return {**content, REPORT_FILE: written_json(info)}


def written_json(value: Any) -> bytes:
    """Return plain values as JSON that people read: indented, with lists of numbers on one line each."""
    text = json.dumps(value, indent=2, allow_nan=False)
    return NUMBERS.sub(lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text).encode()


def finite(value: Any) -> Any:
    """Return plain values with None for each number that JSON cannot hold."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: finite(one) for key, one in value.items()}
        case list() | tuple():
            return [finite(one) for one in value]
    return value


def _compared_on(data: Data | None, facts: DataFacts) -> npt.NDArray[np.uint8]:
    """Return images (N, C, H, W) on which files are compared: test images, or noise where they are missing."""
    import numpy as np

    if data is not None and len(data.test):
        return np.asarray(data.test.x[:IMAGES])
    return np.random.default_rng(0).integers(0, 256, (IMAGES, *facts.input), dtype=np.uint8)


def _picture(drawn: Genome) -> dict[str, bytes]:
    """Return the picture of a genome; nothing, with a line in the log, where it cannot be drawn."""
    import genome

    try:
        return {PICTURE_FILE: genome.draw(drawn).encode()}
    except genome.GenomeError as error:
        log.warning("%s is not written: %s", PICTURE_FILE, error)
        return {}


def _evaluation(trained: Trained, valid: Scores | None) -> dict[str, bytes]:
    """Return the evaluation of a network on the validation images of its training, where they are known."""
    data, weights = trained.data, files.sha256(trained.weights)
    found = evaluation(valid, data, weights) if data and valid else None
    return {EVALUATION_FILE: written_json(to_json(found))} if found else {}


def _info(plan: Plan, trained: Trained, test: Scores | None, valid: Scores | None) -> dict[str, Any]:
    """Return the report: what was reached, on what, how, and with which versions."""
    import genome

    facts, training = trained.facts, trained.training or {}
    return {
        "export": FORMAT,
        **trained.about,
        "accuracy": {"test": test and test.accuracy, "valid": training.get("valid_accuracy")},
        "loss": {"test": test and test.loss, "valid": training.get("valid_loss")},
        "auc": {"test": test and test.auc, "valid": training.get("valid_auc")},
        "exits": {"test": test and list(test.exits), "valid": list(training.get("exits", []))},
        "exit_names": [plan.steps[place].node.name for place in plan.exits],
        **_by_class(trained.data, test, valid),
        "params": plan.params,
        "macs": plan.macs,
        "memory_bytes": plan.memory_bytes,
        "digest": genome.digest(plan),
        "data": facts.name or None,
        "data_digest": facts.digest or None,
        "input": list(facts.input),
        "classes": list(facts.classes),
        "mean": list(facts.mean),
        "std": list(facts.std),
        **({"reading": dict(facts.reading)} if facts.reading else {}),
        **({"depth": facts.depth} if facts.depth != 8 else {}),
        **({"multilabel": True} if facts.multilabel else {}),
        "images": dict(facts.images),
        "pictures": _pictures(facts),
        "training": trained.training and dict(trained.training),
        "versions": versions(),
    }


def _pictures(facts: DataFacts) -> dict[str, Any] | None:
    """Return how a picture becomes an input; None for images that no picture can hold."""
    channels, height, width = facts.input
    if not reads_pictures(facts):
        return None
    return {
        "mode": READ_AS[channels],
        "upright": True,
        "size": [height, width],
        "resize": "bilinear, antialias",
        "fit": facts.reading.get("fit", "stretch"),
        "draft": facts.reading.get("draft", False),
        "scale": [0, 1],
    }


def _by_class(data: Data | None, test: Scores | None, valid: Scores | None) -> dict[str, Any]:
    per_class = dict[str, Any](test=None, valid=None)
    confusion = None
    if data and test:
        of_test = class_scores(test, data.test, len(data.classes))
        per_class["test"], confusion = of_test.to_json(), of_test.confusion
    if data and valid:
        per_class["valid"] = class_scores(valid, data.valid, len(data.classes)).to_json()
    return {"per_class": per_class, "confusion": {"test": confusion}}


def _scores(network: nn.Module, trained: Trained) -> tuple[Scores | None, Scores | None]:
    """Return what the network reaches on the test images, and on the validation images of its training."""
    data, training = trained.data, trained.training
    if data is None:
        return None, None
    test = scored(network, data.test, data, training or {})
    return test, scored(network, data.valid, data, training, logits=True) if training else None


def versions() -> dict[str, str]:
    """Return the versions of what made a network, by distribution name."""
    found = {"python": platform.python_version()}
    for name in ("genome-nas", "torch", "torchvision", "optuna", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
