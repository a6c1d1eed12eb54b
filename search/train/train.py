"""Training one genome in full: one seed after another, each with a checkpoint, and what came of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genome
from genome import Genome
from genome.op import Shape
from search import formatting
from search.errors import StudyError
from search.results.export import packed
from search.storage.lock import hold
from search.storage.trial_files import GENOME_FILE, REPORT_FILE
from search.train.curve import Curve
from trainer import files

if TYPE_CHECKING:
    from trainer import Data, Ranks, Recipe, Report

TRAINING_FILE = "training.json"  # what is trained, so that another training is not mixed in
SUMMARY_FILE = "summary.json"
CHECKPOINT_FILE = "checkpoint"


@dataclass(frozen=True)
class Training:
    """One genome to be trained on data by a recipe, once for each seed, into a folder."""

    network: Genome
    data: Data
    recipe: Recipe
    seeds: tuple[int, ...]
    folder: Path
    device: str
    threads: int

    def identity(self) -> dict[str, Any]:
        """Return what makes it this training; more seeds may be added later."""
        recipe = self.recipe.to_dict()
        del recipe["seed"]
        return {"genome": genome.dump(self.network), "data": self.data.digest(), "recipe": recipe}

    def opening(self) -> str:
        """Return a line that says what is trained on what."""
        plan, data = genome.resolve(self.network), self.data
        where = f"{self.device}, {self.threads} threads" if self.device == "cpu" else self.device
        return (
            f"{self.network.name} ({plan.params:,} params, {formatting.short(plan.macs)} macs) on {data.name}, "
            f"{len(data.train):,} train and {len(data.valid):,} valid images of {Shape(*data.input)}, "
            f"{self.recipe.epochs} epochs, {where}"
        )

    def seed_folder(self, seed: int) -> Path:
        return self.folder / f"seed-{seed}"


def train(
    training: Training, curve: Curve, stop_asked: Callable[[], bool], ranks: Ranks | None = None
) -> list[dict[str, Any]]:
    """Train every seed that is not trained yet, and return the reports of those that are, as plain values.

    Each seed's folder is an export, with `search.load_export` to read it; `summary.json` has mean and spread. A killed
    process goes on where it was. Raises StudyError for a folder of another training, or a training that failed.
    """
    import trainer

    trainer.keep_pages()  # this process does nothing else
    several = ranks or trainer.Ranks()
    if not several.is_first:  # the first one writes, tells, and holds the lock
        _train_all(training, curve, stop_asked, several)
        return []
    with hold(training.folder / ".lock", f"the training in {training.folder}"):
        claim(training)
        reports = _train_all(training, curve, stop_asked, several)
        if reports:
            summary = summary_of(reports)
            files.write(training.folder / SUMMARY_FILE, json.dumps(summary, indent=2).encode())
        return reports


def summary_of(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of what exports report."""
    said: dict[str, Any] = {"seeds": [report["seeds"]["train"] for report in reports]}
    for key in ("accuracy", "loss"):
        for part in ("test", "valid"):
            said[f"{part}_{key}"] = _spread([report[key][part] for report in reports])
    said["seconds"] = _spread([report["training"]["seconds"] for report in reports])
    return {**said, "params": reports[0]["params"], "macs": reports[0]["macs"]}


def summary_text(reports: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Return a table of the seeds, mean and spread below it."""
    head = ("seed", "test accuracy", "valid accuracy", "best epoch", "epochs", "images/s", "MFU", "time")
    rows = [_row(report) for report in reports]
    summary = summary_of(reports)
    test = summary["test_accuracy"]
    spread = f" ± {test['deviation']:.4f}" if len(reports) > 1 else ""
    network = f"params {summary['params']:,}, macs {formatting.short(summary['macs'])}"
    return (
        f"{formatting.table(head, rows)}\n\ntest accuracy {test['mean']:.4f}{spread}  {network}\nin {folder}"
    )


def _row(report: Mapping[str, Any]) -> list[str]:
    training, accuracy = report["training"], report["accuracy"]
    mfu = training["mfu"]
    return [
        str(report["seeds"]["train"]),
        f"{accuracy['test']:.4f}",
        f"{accuracy['valid']:.4f}",
        str(training["best_epoch"]),
        str(training["epochs"]),
        f"{training['images_per_second']:,.0f}",
        "-" if mfu is None else f"{mfu:.1%}",
        formatting.seconds(training["seconds"]),
    ]


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and sample standard deviation; None of a single value."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "deviation": deviation, "values": list(values)}


def claim(training: Training) -> None:
    """Write what is trained into the folder. Raises StudyError where another training, or something else, is in it."""
    path, identity = training.folder / TRAINING_FILE, training.identity()
    training.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        found = None
        if any(not file.name.startswith(".") for file in training.folder.iterdir()):
            raise StudyError(
                f"{training.folder} holds other things; give --to a new or empty folder"
            ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read ({error}); give --to another folder") from None
    if found is None:
        files.write(path, json.dumps(identity, indent=2).encode())
        files.write(training.folder / GENOME_FILE, identity["genome"].encode())
    elif found != identity:
        other = next((key for key in identity if found.get(key) != identity[key]), "kind")
        raise StudyError(
            f"{training.folder} holds a training with another {other}; give --to another folder, or delete this one"
        )


def _train_all(
    training: Training, curve: Curve, stop_asked: Callable[[], bool], ranks: Ranks
) -> list[dict[str, Any]]:
    reports = []
    for seed in training.seeds:
        done = _finished(training.seed_folder(seed))
        if done is None:
            done = _train_seed(training, seed, curve, stop_asked, ranks)
        if done is None:
            return []  # stopped
        reports.append(done)
    return reports


def _finished(folder: Path) -> dict[str, Any] | None:
    try:
        report = json.loads((folder / REPORT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and "accuracy" in report else None


def _train_seed(
    training: Training, seed: int, curve: Curve, stop_asked: Callable[[], bool], ranks: Ranks
) -> dict[str, Any] | None:
    """Train one seed to its end and write its export; None where it was stopped before."""
    import trainer

    recipe = replace(training.recipe, seed=seed)
    checkpoint = trainer.Checkpoint(training.folder / f".seed-{seed}.{CHECKPOINT_FILE}")
    if ranks.is_first:
        going_on = " (going on from its checkpoint)" if checkpoint.path.exists() else ""
        curve.said(f"seed {seed}{going_on}")
        curve.began(seed, recipe.epochs)
    plan = genome.resolve(training.network)
    meter = trainer.Meter(training.device)
    with meter:
        module = genome.build(plan, seed=seed)
    report = trainer.fit(
        module,
        training.data,
        recipe=recipe,
        device=training.device,
        on_epoch=curve.epoch if ranks.is_first else None,
        started_seconds=meter.seconds,
        checkpoint=checkpoint,
        stop_asked=stop_asked,
        ranks=ranks,
    )
    if report.outcome == "interrupted":
        return None
    if report.best_weights is None or report.outcome == "failed":
        raise StudyError(f"seed {seed} failed: {report.reason}")
    if not ranks.is_first:
        return {}
    return _written(training, seed, report, checkpoint)


def _written(training: Training, seed: int, report: Report, checkpoint: Any) -> dict[str, Any]:
    """Write the export of one seed, then drop its checkpoint; return its report."""
    import safetensors.torch

    assert report.best_weights is not None
    content = packed(
        genome.dump(training.network),
        safetensors.torch.save(report.best_weights),
        report.to_dict(),
        training.data,
        {"seeds": {"train": seed}},
        f"{training.network.name}, seed {seed}",
    )
    files.write_folder(training.seed_folder(seed), content)
    checkpoint.remove()
    return dict(json.loads(content[REPORT_FILE]))
