"""The page of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import genome
from genome.draw import picture_words
from genome.op import Op
from genome.text import flow, written_op
from genome.totals import totals
from genome.yaml.source import SourceError
from search.dashboard.genomes.node_costs import cost_charts
from search.dashboard.genomes.unfolding import query_of, unfolded
from search.dashboard.pages.class_results import class_rows, confusion_cells
from search.dashboard.pages.downloads import downloads
from search.dashboard.pages.epochs import epochs_of, report_of
from search.dashboard.pages.evaluation import evaluation_page
from search.dashboard.pages.exits import exits_page
from search.dashboard.pages.lineage import lineage
from search.dashboard.pages.relatives import relatives
from search.dashboard.pages.seed_trainings import seed_trainings
from search.dashboard.pages.study import row
from search.dashboard.pages.test_images import test_result_of
from search.dashboard.pages.training_report import REPORT, groups, seconds_by_part
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.storage.record import fold_spread


def trial_page(snapshot: Snapshot, number: int, motifs: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the values of the page, with the motifs of these names unfolded.

    Raises NotFound where the study has no such trial, QueryError where the genome has no such motif.
    """
    trial = trial_of(snapshot, number)
    shown = _genome(snapshot, trial, motifs)
    return {
        "study": snapshot.name,
        "study_href": links.study(snapshot.name),
        "is_running": snapshot.is_running and trial.outcome in ("running", "paused", "waiting"),
        **trial.record.to_json(),
        **row(snapshot, trial),
        "goal": snapshot.goal.name,
        "seeds": seed_trainings(snapshot, trial),
        "test": test_result_of(snapshot, trial),
        "latency_of": trial.record.latency.to_json() if trial.record.latency else None,
        "fold_spreads": {
            name: spread for name in trial.record.folds if (spread := fold_spread(trial.record, name))
        },
        "planned_epochs": trial.record.planned_epochs,
        "began_at": trial.began,
        "ended_at": trial.ended,
        "files": downloads(snapshot, trial),
        **shown,
        "exits": exits_page(snapshot, trial, sum(node["op"] == "exit" for node in shown["nodes"])),
        **_training(snapshot, trial),
        **relatives(snapshot, trial),
        "tree": lineage(snapshot, trial),
    }


def trial_of(snapshot: Snapshot, number: int) -> TrialView:
    """Return a trial of a study. Raises NotFound where the study has no trial of this number."""
    trial = snapshot.by_number.get(number)
    if trial is None:
        raise NotFound(f"study {snapshot.name} has no trial {number}")
    return trial


def _genome(snapshot: Snapshot, trial: TrialView, motifs: frozenset[str]) -> dict[str, Any]:
    """The values of the page that show the genome."""
    text, href = trial.record.genome, links.trial(snapshot.name, trial.record.number)
    nodes, trouble = _nodes(text, motifs)
    return {
        "genome": text,
        "picture": f"{href}/picture.svg" if nodes else None,
        "open": query_of(motifs),
        "download": f"{href}/genome.yaml" if text else None,
        "nodes": nodes,
        "costs": cost_charts(nodes),
        "trouble": trouble,
    }


def _nodes(text: str | None, motifs: frozenset[str]) -> tuple[list[dict[str, Any]], str | None]:
    """The nodes of the genome with their costs; where there are none, a sentence that says why."""
    if text is None:
        return [], "no genome is stored for this trial"
    try:
        shown = unfolded(text, motifs).genome
        costs = totals(shown, genome.resolve(shown))
    except (genome.GenomeError, SourceError) as error:
        return [], f"this version cannot read the genome ({error})"
    colour = {word: f"w{i}" for i, word in enumerate(picture_words())}
    return [
        {
            "name": node.name,
            "op": node.op.word,
            "colour": colour[node.op.word],
            "in": list(node.ins),
            "genes": _genes(node.op),
            "shape": str(costs[node.name].out) if costs[node.name].out else None,
            "params": costs[node.name].params,
            "macs": costs[node.name].macs,
        }
        for node in shown.nodes
    ], None


def _genes(op: Op) -> list[dict[str, Any]]:
    """Every gene of a node type, those at their default too, which a picture leaves out."""
    values = written_op(op)
    return [
        {
            "name": gene.name,
            "value": flow(values[gene.name]),
            "is_default": getattr(op, gene.name) == gene.default,
        }
        for gene in op.genes
        if gene.name in values
    ]


def _training(snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
    """The values of the page that show the report of the training, and the evaluation of its network."""
    report, tested, curve = (
        report_of(snapshot, trial),
        test_result_of(snapshot, trial),
        epochs_of(snapshot, trial),
    )
    evaluation = evaluation_page(snapshot, trial)
    # the evaluation is of the weights that are handed out, the report of those of the search
    scores, names = report, snapshot.attrs.classes
    if found := evaluation["found"]:
        scores, names = found, found["classes"]
    return {
        "test_confusion": [
            [cell._asdict() for cell in cells]
            for cells in confusion_cells({"confusion": tested.confusion if tested else None})
        ],
        "report": {name: report[name] for name in REPORT if report.get(name) is not None},
        "report_groups": groups(report),
        "seconds_by_part": seconds_by_part(report),
        "curve": curve,
        "unfinished_epoch": next((row["epoch"] for row in curve if row["complete"] is False), None),
        "slot_share": _slot_share(snapshot, report),
        "limit_seconds": snapshot.config.budget.per_trial,
        "evaluation": evaluation,
        "by_class": [one._asdict() for one in class_rows(scores, names)],
        "classes": list(names),
        "confusion": [[cell._asdict() for cell in cells] for cells in confusion_cells(scores)],
    }


def _slot_share(snapshot: Snapshot, report: Mapping[str, Any]) -> float | None:
    """The share of its device that the worker of a limited trial had; None where it had all of it."""
    share = report.get("charged_share")
    is_part = isinstance(share, float | int) and 0 < share < 1
    return float(share or 0.0) if is_part and snapshot.config.budget.per_trial is not None else None
