"""The page of a study's genes, and its short form on the study's own page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from search.dashboard.gene_analysis.analysis import PATIENCE, GeneAnalysis, GeneFindings
from search.dashboard.gene_analysis.pairs import pair_map
from search.dashboard.plots.parallel_chart import parallel_chart
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import LONGEST, QueryError
from search.dashboard.web import links
from search.objective import MAXIMIZE

MOST_CHOSEN = 8  # genes of the parallel coordinates
USUAL = 5  # of these, where nobody has chosen


@dataclass(frozen=True)
class GeneChoice:
    """The genes that a person chose; empty for those that matter most."""

    gene: tuple[str, ...] = ()  # of the parallel coordinates
    # of the heat map
    across: str = ""
    up: str = ""

    @classmethod
    def parse(cls, given: Iterable[tuple[str, str]], holes: Collection[str]) -> GeneChoice:
        """Read the parameters of an address; an empty one counts as absent. Raises QueryError."""
        choice, seen = cls(), set[str]()
        for name, text in given:
            if name != "gene" and name in seen:
                raise QueryError(f"{name[:LONGEST]!r} is given twice; give it once")
            seen.add(name)
            if name not in ("gene", "across", "up"):
                raise QueryError(
                    f"{name[:LONGEST]!r} is no parameter of this page; the parameters are gene, across, up"
                )
            if text and text not in holes:
                raise QueryError(f"{name} is {text[:LONGEST]!r}; it may be a gene of the study's space")
            if name == "gene":
                choice = replace(
                    choice, gene=tuple(dict.fromkeys((*choice.gene, text))) if text else choice.gene
                )
            else:
                choice = replace(choice, across=text) if name == "across" else replace(choice, up=text)
        if len(choice.gene) > MOST_CHOSEN:
            raise QueryError(f"{len(choice.gene)} genes are chosen; choose up to {MOST_CHOSEN}")
        return choice

    @property
    def address(self) -> str:
        """The parameters of the address."""
        pairs = [*(("gene", name) for name in self.gene), ("across", self.across), ("up", self.up)]
        return urlencode([pair for pair in pairs if pair[1]])

    def filled(self, ranked: Sequence[str]) -> GeneChoice:
        """Return the choice with the genes that matter most where nobody has chosen. ranked: these come first."""
        across = self.across or next((name for name in ranked if name != self.up), "")
        up = self.up or next((name for name in ranked if name != across), "")
        return GeneChoice(self.gene or tuple(ranked[:USUAL]), across, up)


NOTHING_CHOSEN = GeneChoice()


def genes_page(
    snapshot: Snapshot,
    analysis: GeneAnalysis,
    patience: float = PATIENCE,
    choice: GeneChoice = NOTHING_CHOSEN,
) -> dict[str, Any]:
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
        "holes": list(snapshot.config.space.holes),
        "chosen": choice.address,
        **(_values(found, snapshot, choice) if found else {"choice": None}),
    }


def _values(found: GeneFindings, snapshot: Snapshot, choice: GeneChoice) -> dict[str, Any]:
    weighed = found.importance
    # genes to which all networks have the same answer tell nothing
    telling = [one.name for one in found.genes if sum(answer.trials > 0 for answer in one.answers) > 1]
    choice = choice.filled(telling)
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
        "effects": found.effects,
        "moves": found.moves,
        "choice": {"gene": list(choice.gene), "across": choice.across, "up": choice.up},
        **_charts(found, snapshot, choice),
    }


def _charts(found: GeneFindings, snapshot: Snapshot, choice: GeneChoice) -> dict[str, Any]:
    holes, goal, of = snapshot.config.space.holes, snapshot.goal, found.answers
    names = (choice.across, choice.up)
    is_pair = all(names) and len(of.numbers) > 0
    return {
        "pair": pair_map(holes, of.codes, of.values, of.is_pruned, names, goal.direction == MAXIMIZE)
        if is_pair
        else None,
        "parallel": parallel_chart(holes, of.codes, of.values, of.numbers, of.is_top, choice.gene, goal.name)
        if choice.gene
        else None,
    }
