"""What the page of one trial shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import genome
from genome.draw import picture_words
from genome.source import SourceError
from genome.totals import totals
from search.dashboard.genomes.node_costs import cost_charts
from search.dashboard.genomes.unfolding import query_of, unfolded
from search.dashboard.pages.downloads import downloads
from search.dashboard.pages.lineage import lineage
from search.dashboard.pages.study import row
from search.dashboard.pages.training_report import REPORT, groups, seconds_by_part
from search.dashboard.studies.library import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.storage.trial_files import read_report

MOST_RELATIVES = 100  # children, and steps back to where a trial grew from
CURVE = ("epoch", "complete", "train_loss", "valid_loss", "valid_accuracy", "seconds", "images_per_second")


def trial(snapshot: Snapshot, number: int, names: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the page's values, the genome with the motifs of these names unfolded.

    Raises Missing where the study has no such trial, QueryError where its genome has no such motif.
    """
    one = found(snapshot, number)
    report = _report(snapshot, one)
    nodes, trouble = _nodes(one.record.genome, names)
    return {
        "study": snapshot.name,
        "study_href": links.study(snapshot.name),
        "is_running": snapshot.is_running and one.outcome in ("running", "paused", "waiting"),
        **one.record.to_json(),
        **row(snapshot, one),
        "reused": _related(snapshot, one.record.reused),
        "planned_epochs": one.record.planned_epochs,
        "began_at": one.began,
        "ended_at": one.ended,
        "genome": one.record.genome,
        "picture": f"{links.trial(snapshot.name, number)}/picture.svg" if nodes else None,
        "open": query_of(names),
        "download": f"{links.trial(snapshot.name, number)}/genome.yaml" if one.record.genome else None,
        "files": downloads(snapshot, one),
        "nodes": nodes,
        "costs": cost_charts(nodes),
        "trouble": trouble,
        "report": {name: report[name] for name in REPORT if report.get(name) is not None},
        "report_groups": groups(report),
        "seconds_by_part": seconds_by_part(report),
        "curve": _curve(report) or _so_far(snapshot, one),
        "parents": [_kin(snapshot, parent, how) for parent, how in one.parents.items()],
        "children": [
            _kin(snapshot, child.record.number, child.parents[number])
            for child in _children(snapshot, number)
        ],
        "children_count": len(snapshot.children.get(number, ())),
        "line": _line(snapshot, one),
        "against_parents": [
            {"number": parent, "href": links.compare(snapshot.name, (parent, number))}
            for parent in one.parents
            if parent in snapshot.by_number
        ],
        "retry_of": _related(snapshot, one.record.retry_of),
        "giver": _related(snapshot, _giver(one)),
        "tree": lineage(snapshot, one),
    }


def found(snapshot: Snapshot, number: int) -> TrialView:
    """Return a trial of a study. Raises Missing where there is none of that number."""
    one = snapshot.by_number.get(number)
    if one is None:
        raise NotFound(f"study {snapshot.name} has no trial {number}")
    return one


def _nodes(text: str | None, names: frozenset[str]) -> tuple[list[dict[str, Any]], str | None]:
    """The genome's nodes with what they cost, or why there are none."""
    if text is None:
        return [], "no genome was kept of this trial"
    try:
        snapshot = unfolded(text, names).genome
        known = totals(snapshot, genome.resolve(snapshot))
    except (genome.GenomeError, SourceError) as error:
        return [], f"the genome cannot be read by this version ({error})"
    place = {word: i for i, word in enumerate(picture_words())}
    return [
        {
            "name": node.name,
            "op": node.op.word,
            "colour": f"w{place[node.op.word]}",
            "in": list(node.ins),
            "shape": str(known[node.name].out) if known[node.name].out else None,
            "params": known[node.name].params,
            "macs": known[node.name].macs,
        }
        for node in snapshot.nodes
    ], None


def _giver(one: TrialView) -> int | None:
    """The trial that gave it its first weights."""
    number = one.record.inherited.get("from") if one.record.inherited else None
    return number if isinstance(number, int) else None


def _report(snapshot: Snapshot, one: TrialView) -> Mapping[str, Any]:
    """The report that its training left; nothing where there is none, or where it is on another machine."""
    if snapshot.folder is None:
        return {}
    folder = snapshot.folder / "trials" / str(one.record.number)
    return read_report(folder, one.record.digest, one.record.number) or {}


def curve_of(snapshot: Snapshot, one: TrialView) -> list[dict[str, Any]]:
    """Return the epochs of a trial as its report has them; without one here, those that the storage has."""
    return _curve(_report(snapshot, one)) or _so_far(snapshot, one)


def _curve(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The epochs of a report; a row that is none is left out."""
    rows = report.get("curve")
    if not isinstance(rows, Sequence):
        return []
    return [{name: r.get(name) for name in CURVE} for r in rows if isinstance(r, Mapping)]


def _so_far(snapshot: Snapshot, one: TrialView) -> list[dict[str, Any]]:
    """The epochs that were kept while it was trained, which have one figure each."""
    goal, unknown = f"valid_{snapshot.goal.name}", dict.fromkeys(CURVE)
    return [{**unknown, "epoch": epoch, goal: value} for epoch, value in sorted(one.record.curve.items())]


def _children(snapshot: Snapshot, number: int) -> Sequence[TrialView]:
    return snapshot.children.get(number, [])[:MOST_RELATIVES]


def _kin(snapshot: Snapshot, number: int, how: str) -> dict[str, Any]:
    """A relative of a trial: the moves are those by which it was itself made."""
    one = snapshot.by_number.get(number)
    moves = list(one.record.origin.moves) if one and one.record.origin else []
    return {"how": how, "moves": moves, **(_related(snapshot, number) or {})}


def _related(snapshot: Snapshot, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    one = snapshot.by_number.get(number)
    href = links.trial(snapshot.name, number) if one else None
    learnt = one.metric(snapshot.goal.name) if one else None
    return {
        "number": number,
        "href": href,
        "outcome": one.outcome if one else None,
        snapshot.goal.name: learnt,
    }


def _line(snapshot: Snapshot, one: TrialView) -> list[dict[str, Any]]:
    """The trials from which this one grew, by first parents, the nearest first."""
    made, met = list[dict[str, Any]](), {one.record.number}
    while len(made) < MOST_RELATIVES and one.parents:
        number, how = next(iter(one.parents.items()))
        if number in met or number not in snapshot.by_number:
            break
        met.add(number)
        made.append(_kin(snapshot, number, how))
        one = snapshot.by_number[number]
    return made
