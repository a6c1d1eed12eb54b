"""The page of a study's genes, and its short form on the study's own page."""

from __future__ import annotations

from typing import Any

from search.dashboard.gene_analysis.analysis import PATIENCE, GeneAnalysis, GeneFindings
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.web import links


def genes_page(snapshot: Snapshot, analysis: GeneAnalysis, patience: float = PATIENCE) -> dict[str, Any]:
    """Return the values of the page. `is_ready` is false while the genomes are read for the first time.

    patience: seconds to wait for the analysis.
    """
    found = analysis.findings(snapshot, patience)
    read, total, trouble = analysis.progress
    return {
        "name": snapshot.name,
        "href": links.study(snapshot.name),
        "goal": snapshot.goal.name,
        "is_running": snapshot.is_running,
        "is_ready": found is not None,
        "mark": found.mark if found else "",
        "read": read,
        "total": total,
        "trouble": trouble,
        **(_values(found) if found else {}),
    }


def _values(found: GeneFindings) -> dict[str, Any]:
    weighed = found.importance
    return {
        "trials": found.trials,
        "top": found.top,
        "unread": found.unread,
        "is_weighing": found.is_weighing,
        "weighed": {"trials": weighed.trials, "explained": weighed.explained} if weighed else None,
        "genes": found.genes,
        "node_types": found.node_types,
        "proxies": found.proxies,
        "box": found.quantiles,
    }
