"""What a user takes home: a folder with the genome's text, the weights, and a report of both."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from search.config.study import StudyConfig
from search.errors import StudyError
from search.objective import Objective, learnt
from search.results.exported import FORMAT, load_weights, read_report
from search.results.formats import FORMATS_KEY, IMAGES, Format, written
from search.results.model_file import model_files
from search.storage.data_facts import DataFacts
from search.storage.record import Record
from search.storage.study import DATA_ATTR, Store
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer import files

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from genome import Plan
    from trainer import Data
    from trainer.loop.evaluation import Scores

log = logging.getLogger("search")

WeightsOf: TypeAlias = Literal["best", "search", "finale"]

USAGE_FILE = "USAGE.md"
USAGE = """# {name}

`model.py` is the network in plain PyTorch, and needs this package no more: `python model.py IMAGE` prints the class.

With this package, from inside this folder (from elsewhere, give its path):

```python
import search, torch
module, info = search.load_export(".")  # checks the sha256 of its files
x = torch.rand(1, *info["input"])  # pixels in 0..1, (batch, channels, height, width)
mean, std = (torch.tensor(info[k]).view(1, -1, 1, 1) for k in ("mean", "std"))
print(info["classes"][module((x - mean) / std)[-1].argmax()])
```
"""


def export(
    store: Store,
    config: StudyConfig,
    record: Record,
    to: Path,
    data: Data | None = None,
    weights_of: WeightsOf = "best",
    formats: Sequence[Format] = (),
    fold: bool = False,
) -> Path:
    """Write genome.yaml, weights.safetensors, model.py with model.safetensors, report.json and USAGE.md of one trial.

    The weights are those of the training that did best on the validation images: that of the search, or one of the
    finale, where it retrained the network. weights_of: `search` or `finale` for the best of either alone.
    formats: of further files for other runtimes; each is run in a fresh process and compared first. With `fold`
    norms are part of the convolutions beside them.

    The test images are touched here, once for each export, and nowhere else; where they are missing, the report has no
    test accuracy and the log says so. An earlier export in `to` is replaced as a whole; any other folder that is not
    empty is refused. What a person added to an earlier export stays there. Raises StudyError.
    """
    others = _others_in(to)
    source = _source(store, config, record, weights_of)
    try:
        text, weights = (
            (source / GENOME_FILE).read_text(encoding="utf-8"),
            (source / WEIGHTS_FILE).read_bytes(),
        )
        training = json.loads((source / REPORT_FILE).read_bytes())
    except (OSError, ValueError):
        raise StudyError(
            f"trial {record.number} of study {config.name} has no weights in {source}; "
            "export where it was trained, or a trial that was finished"
        ) from None
    about = {
        "study": config.name,
        "trial": record.number,
        "objectives": dict(config.objectives),
        "seeds": {"study": config.seed, "train": training["seed"]},
        **({"recipe": dict(record.searched)} if record.searched else {}),
        **({"latency": record.latency.to_json()} if record.latency else {}),
        **({"over_seeds": record.finale.to_json()} if record.finale else {}),
    }
    name = f"{config.name}, trial {record.number}"
    facts, images = (DataFacts.of(data), data) if data else _images(store, config)
    content = packed(text, weights, training, facts, images, about, name, formats, fold)
    kept = [name for name in others if name not in content]
    files.write_folder(to.resolve(), content, kept)  # not the link that leads there
    return to


def _images(store: Store, config: StudyConfig) -> tuple[DataFacts, Data | None]:
    """Return what is known of a study's images, and the images, None where they are missing or have changed.

    Raises StudyError for a study that has stored nothing about its images where these are missing or have changed.
    """
    from trainer import DataError

    attrs = store.study.user_attrs
    facts = DataFacts.of_attrs(attrs)
    try:
        data = config.data.load()
        if data.digest() == attrs[DATA_ATTR]:
            return facts or DataFacts.of(data), data
        missing = f"the images of {data.name} differ from those that study {config.name} began with"
    except DataError as error:
        missing = str(error)
    if facts is None:
        raise StudyError(
            f"{missing}; study {config.name} was begun by an earlier version and stored nothing about its images: "
            "put them back, or resume the study once where they are"
        )
    log.warning("%s: the report of the export has no test accuracy", missing)
    return facts, None


def _source(store: Store, config: StudyConfig, record: Record, weights_of: WeightsOf) -> Path:
    """Return the folder with the weights that a trial's network is handed out with."""
    seed = exported_seed(record, learnt(config.objectives), weights_of)
    if seed is not None:
        return store.seed_folder(record.number, seed)
    return store.trial_folder(record.number if record.reused is None else record.reused)


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


def _others_in(to: Path) -> list[str]:
    """Return what an earlier export holds beside its own files. Raises StudyError for what is no export of ours."""
    if not to.exists():
        return []
    if not to.is_dir():
        raise StudyError(f"{to} is a file; name a folder that is new, empty or an earlier export")
    inside = sorted(one.name for one in to.iterdir())
    if not inside:
        return []
    try:
        own = {*read_report(to)["files"], REPORT_FILE, USAGE_FILE}
    except StudyError:
        raise StudyError(
            f"{to} holds other things; name a folder that is new, empty or an earlier export"
        ) from None
    return [name for name in inside if name not in own]


def packed(
    text: str,
    weights: bytes,
    training: dict[str, Any],
    facts: DataFacts,
    data: Data | None,
    about: dict[str, Any],
    name: str,
    formats: Sequence[Format] = (),
    fold: bool = False,
) -> dict[str, bytes]:
    """Return the files of an export by name. The test images are touched here, once, and nowhere else.

    training: the report of the training as plain values.  data: the images that `facts` describe; without them the
    report has no test accuracy.  about: where the network comes from; it stands in the report.  Raises StudyError for
    weights that are not the genome's.
    """
    import genome

    plan = genome.resolve(genome.loads(text))
    network = genome.build(plan)
    load_weights(network, weights, Path(WEIGHTS_FILE))
    info = _info(plan, network, training, facts, data, about)
    content = {
        GENOME_FILE: text.encode(),
        WEIGHTS_FILE: weights,
        **model_files(network, plan, facts, name),
    }
    if formats:
        network.eval()
        made, seen = written(network, plan, facts, _compared_on(data, facts), formats, fold)
        content |= made
        info[FORMATS_KEY] = {"test_images": data is not None, **seen}
    info["files"] = {file: files.sha256(stored) for file, stored in content.items()}
    return {
        **content,
        REPORT_FILE: json.dumps(info, indent=2, allow_nan=False).encode(),
        USAGE_FILE: USAGE.format(name=name).encode(),
    }


def _compared_on(data: Data | None, facts: DataFacts) -> npt.NDArray[np.uint8]:
    """Return images (N, C, H, W) on which files are compared: test images, or noise where they are missing."""
    import numpy as np

    if data is not None and len(data.test):
        return np.asarray(data.test.x[:IMAGES])
    return np.random.default_rng(0).integers(0, 256, (IMAGES, *facts.input), dtype=np.uint8)


def _info(
    plan: Plan,
    network: nn.Module,
    training: dict[str, Any],
    facts: DataFacts,
    data: Data | None,
    about: dict[str, Any],
) -> dict[str, Any]:
    """Return the report: what was reached, on what, how, and with which versions."""
    import genome

    test = _test_scores(network, training, data) if data else None
    return {
        "export": FORMAT,
        **about,
        "accuracy": {"test": test and test.accuracy, "valid": training["valid_accuracy"]},
        "loss": {"test": test and test.loss, "valid": training["valid_loss"]},
        "exits": {"test": test and list(test.exits), "valid": list(training["exits"])},
        "params": plan.params,
        "macs": plan.macs,
        "memory_bytes": plan.memory_bytes,
        "digest": genome.digest(plan),
        "data": facts.name,
        "data_digest": facts.digest,
        "input": list(facts.input),
        "classes": list(facts.classes),
        "mean": list(facts.mean),
        "std": list(facts.std),
        "images": dict(facts.images),
        "training": training,
        "versions": versions(),
    }


def _test_scores(module: nn.Module, training: dict[str, Any], data: Data) -> Scores:
    import trainer

    return trainer.evaluate(
        module,
        data.test,
        data,
        _device(training["device"]),
        precision=training.get("precision") or training["recipe"]["precision"],
        layout=training.get("layout") or "auto",
    )


def _device(trained_on: str) -> str:
    """Where to evaluate a network whose report names its device: cpu, or a GPU by its maker's name."""
    import torch

    return "cuda" if trained_on != "cpu" and torch.cuda.is_available() else "cpu"


def versions() -> dict[str, str]:
    """Return the versions of what made a network, by distribution name."""
    found = {"python": platform.python_version()}
    for name in ("genome-nas", "torch", "torchvision", "optuna", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
