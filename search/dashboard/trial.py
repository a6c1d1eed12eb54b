"""What the page of one trial shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import genome
from genome.draw import picture_words
from genome.source import SourceError
from genome.totals import totals
from search.dashboard import link
from search.dashboard.costs import costs
from search.dashboard.downloads import offers
from search.dashboard.kinship import tree
from search.dashboard.library import Missing
from search.dashboard.report import REPORT, groups, seconds_by_part
from search.dashboard.seen import Seen
from search.dashboard.snapshot import Snapshot
from search.dashboard.study import row
from search.dashboard.unfolding import query_of, unfolded
from search.storage.trial_files import read_report

MOST_RELATIVES = 100  # children, and steps back to where a trial grew from
CURVE = ("epoch", "complete", "train_loss", "valid_loss", "valid_accuracy", "seconds", "images_per_second")


def trial(shown: Snapshot, number: int, names: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the page's values, the genome with the motifs of these names unfolded.

    Raises Missing where the study has no such trial, QueryError where its genome has no such motif.
    """
    one = found(shown, number)
    report = _report(shown, one)
    nodes, trouble = _nodes(one.record.genome, names)
    return {
        "study": shown.name,
        "study_href": link.study(shown.name),
        "is_running": shown.is_running and one.outcome in ("running", "paused", "waiting"),
        **one.record.to_json(),
        **row(shown, one),
        "reused": _related(shown, one.record.reused),
        "planned_epochs": one.record.planned_epochs,
        "began_at": one.began,
        "ended_at": one.ended,
        "genome": one.record.genome,
        "picture": f"{link.trial(shown.name, number)}/picture.svg" if nodes else None,
        "open": query_of(names),
        "download": f"{link.trial(shown.name, number)}/genome.yaml" if one.record.genome else None,
        "files": offers(shown, one),
        "nodes": nodes,
        "costs": costs(nodes),
        "trouble": trouble,
        "report": {name: report[name] for name in REPORT if report.get(name) is not None},
        "report_groups": groups(report),
        "seconds_by_part": seconds_by_part(report),
        "curve": _curve(report) or _so_far(shown, one),
        "parents": [_kin(shown, parent, how) for parent, how in one.parents.items()],
        "children": [
            _kin(shown, child.record.number, child.parents[number]) for child in _children(shown, number)
        ],
        "children_count": len(shown.children.get(number, ())),
        "line": _line(shown, one),
        "against_parents": [
            {"number": parent, "href": link.compare(shown.name, (parent, number))}
            for parent in one.parents
            if parent in shown.by_number
        ],
        "retry_of": _related(shown, one.record.retry_of),
        "giver": _related(shown, _giver(one)),
        "tree": tree(shown, one),
    }


def found(shown: Snapshot, number: int) -> Seen:
    """Return a trial of a study. Raises Missing where there is none of that number."""
    one = shown.by_number.get(number)
    if one is None:
        raise Missing(f"study {shown.name} has no trial {number}")
    return one


def _nodes(text: str | None, names: frozenset[str]) -> tuple[list[dict[str, Any]], str | None]:
    """The genome's nodes with what they cost, or why there are none."""
    if text is None:
        return [], "no genome was kept of this trial"
    try:
        shown = unfolded(text, names).genome
        known = totals(shown, genome.resolve(shown))
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
        for node in shown.nodes
    ], None


def _giver(one: Seen) -> int | None:
    """The trial that gave it its first weights."""
    number = one.record.inherited.get("from") if one.record.inherited else None
    return number if isinstance(number, int) else None


def _report(shown: Snapshot, one: Seen) -> Mapping[str, Any]:
    """The report that its training left; nothing where there is none, or where it is on another machine."""
    if shown.folder is None:
        return {}
    folder = shown.folder / "trials" / str(one.record.number)
    return read_report(folder, one.record.digest, one.record.number) or {}


def curve_of(shown: Snapshot, one: Seen) -> list[dict[str, Any]]:
    """Return the epochs of a trial as its report has them; without one here, those that the storage has."""
    return _curve(_report(shown, one)) or _so_far(shown, one)


def _curve(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The epochs of a report; a row that is none is left out."""
    rows = report.get("curve")
    if not isinstance(rows, Sequence):
        return []
    return [{name: r.get(name) for name in CURVE} for r in rows if isinstance(r, Mapping)]


def _so_far(shown: Snapshot, one: Seen) -> list[dict[str, Any]]:
    """The epochs that were kept while it was trained, which have one figure each."""
    goal, unknown = f"valid_{shown.goal.name}", dict.fromkeys(CURVE)
    return [{**unknown, "epoch": epoch, goal: value} for epoch, value in sorted(one.record.curve.items())]


def _children(shown: Snapshot, number: int) -> Sequence[Seen]:
    return shown.children.get(number, [])[:MOST_RELATIVES]


def _kin(shown: Snapshot, number: int, how: str) -> dict[str, Any]:
    """A relative of a trial: the moves are those by which it was itself made."""
    one = shown.by_number.get(number)
    moves = list(one.record.origin.moves) if one and one.record.origin else []
    return {"how": how, "moves": moves, **(_related(shown, number) or {})}


def _related(shown: Snapshot, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    one = shown.by_number.get(number)
    href = link.trial(shown.name, number) if one else None
    learnt = one.metric(shown.goal.name) if one else None
    return {"number": number, "href": href, "outcome": one.outcome if one else None, shown.goal.name: learnt}


def _line(shown: Snapshot, one: Seen) -> list[dict[str, Any]]:
    """The trials from which this one grew, by first parents, the nearest first."""
    made, met = list[dict[str, Any]](), {one.record.number}
    while len(made) < MOST_RELATIVES and one.parents:
        number, how = next(iter(one.parents.items()))
        if number in met or number not in shown.by_number:
            break
        met.add(number)
        made.append(_kin(shown, number, how))
        one = shown.by_number[number]
    return made
