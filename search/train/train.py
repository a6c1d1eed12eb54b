"""Training one genome in full: one seed after another, each with a checkpoint, and a summary of their results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genome
from search import formatting
from search.errors import StudyError
from search.results.packing import Trained, packed
from search.storage.data_facts import DataFacts
from search.storage.lock import hold
from search.storage.trial_files import GENOME_FILE, REPORT_FILE
from search.train.progress import TrainProgress
from search.train.request import TRAINING_FILE, TrainRequest
from trainer import files

if TYPE_CHECKING:
    from trainer import Ranks, Report

SUMMARY_FILE = "summary.json"
CHECKPOINT_FILE = "checkpoint"


def train(
    request: TrainRequest, progress: TrainProgress, stop_asked: Callable[[], bool], ranks: Ranks | None = None
) -> list[dict[str, Any]]:
    """Train every seed that has no report yet, and return the reports of all seeds as plain values.

    The folder of each seed is an export that `search.load_export` reads; `summary.json` has mean and spread. The
    training of a killed process is resumed from its checkpoint. Raises StudyError where the folder belongs to
    another training, or where a training failed.
    """
    import trainer

    trainer.keep_pages()  # the process only trains: freed memory need not go back to the system
    several = ranks or trainer.Ranks()
    if not several.is_first:  # the first process writes, reports, and holds the lock
        _train_all(request, progress, stop_asked, several)
        return []
    with hold(request.folder / ".lock", f"the training in {request.folder}"):
        claim(request)
        reports = _train_all(request, progress, stop_asked, several)
        if reports:
            summary = summary_of(reports)
            files.write(request.folder / SUMMARY_FILE, json.dumps(summary, indent=2).encode())
        return reports


def summary_of(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean and standard deviation over the seeds of the values that the exports report."""
    summary: dict[str, Any] = {"seeds": [report["seeds"]["train"] for report in reports]}
    for key in ("accuracy", "loss"):
        for part in ("test", "valid"):
            summary[f"{part}_{key}"] = _spread([report[key][part] for report in reports])
    summary["seconds"] = _spread([report["training"]["seconds"] for report in reports])
    return {**summary, "params": reports[0]["params"], "macs": reports[0]["macs"]}


def summary_text(reports: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Return a table of the seeds, with the mean and the spread below it."""
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
    """The mean and the sample standard deviation; a single value has no deviation (None)."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "deviation": deviation, "values": list(values)}


def claim(request: TrainRequest) -> None:
    """Write the identity of a training into its folder. Raises StudyError where the folder holds anything else."""
    path, identity = request.folder / TRAINING_FILE, request.identity()
    request.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        found = None
        if any(not file.name.startswith(".") for file in request.folder.iterdir()):
            raise StudyError(
                f"{request.folder} holds other things; give --to a new or empty folder"
            ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read ({error}); give --to another folder") from None
    if found is None:
        files.write(path, json.dumps(identity, indent=2).encode())
        files.write(request.folder / GENOME_FILE, identity["genome"].encode())
    elif found != identity:
        other = next((key for key in identity if found.get(key) != identity[key]), "kind")
        raise StudyError(
            f"{request.folder} holds a training with another {other}; give --to another folder, or delete this one"
        )


def _train_all(
    request: TrainRequest, progress: TrainProgress, stop_asked: Callable[[], bool], ranks: Ranks
) -> list[dict[str, Any]]:
    reports = []
    for seed in request.seeds:
        done = _finished(request.seed_folder(seed))
        if done is None:
            done = _train_seed(request, seed, progress, stop_asked, ranks)
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
    request: TrainRequest, seed: int, progress: TrainProgress, stop_asked: Callable[[], bool], ranks: Ranks
) -> dict[str, Any] | None:
    """Train one seed and write its export; return its report, None where the training was stopped."""
    import trainer

    recipe = replace(request.recipe, seed=seed)
    checkpoint = trainer.Checkpoint(request.folder / f".seed-{seed}.{CHECKPOINT_FILE}")
    if ranks.is_first:
        going_on = " (resuming from its checkpoint)" if checkpoint.path.exists() else ""
        progress.said(f"seed {seed}{going_on}")
        progress.began(seed, recipe.epochs)
    plan = genome.resolve(request.network)
    meter = trainer.Meter(request.device)
    with meter:
        module = genome.build(plan, seed=seed)
    report = trainer.fit(
        module,
        request.data,
        recipe=recipe,
        device=request.device,
        on_epoch=progress.epoch if ranks.is_first else None,
        started_seconds=meter.seconds,
        checkpoint=checkpoint,
        stop_asked=stop_asked,
        ranks=ranks,
        goal="auc" if request.data.is_multilabel else "accuracy",
    )
    if report.outcome == "interrupted":
        return None
    if report.best_weights is None or report.outcome == "failed":
        raise StudyError(f"seed {seed} failed: {report.reason}")
    if not ranks.is_first:
        return {}
    return _written(request, seed, report, checkpoint)


def _written(request: TrainRequest, seed: int, report: Report, checkpoint: Any) -> dict[str, Any]:
    """Write the export of one seed, then remove its checkpoint; return its report."""
    import safetensors.torch

    assert report.best_weights is not None
    trained = Trained(
        name=f"{request.network.name}, seed {seed}",
        text=genome.dump(request.network),
        weights=safetensors.torch.save(report.best_weights),
        facts=DataFacts.of(request.data),
        data=request.data,
        about={"seeds": {"train": seed}},
        training=report.to_dict(),
    )
    content = packed(trained)
    files.write_folder(request.seed_folder(seed), content)
    checkpoint.remove()
    return dict(json.loads(content[REPORT_FILE]))
