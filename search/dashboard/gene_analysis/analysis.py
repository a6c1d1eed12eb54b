"""The analysis of a study's genes, computed in the background: reading thousands of genomes takes seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, NamedTuple

from search.config.study import StudyConfig
from search.dashboard.gene_analysis.answer_kinds import kinds, kinds_in
from search.dashboard.gene_analysis.apart import map_apart
from search.dashboard.gene_analysis.effects import Effect, effects
from search.dashboard.gene_analysis.importance import LEAST, Importance, importance
from search.dashboard.gene_analysis.moves import MoveResult, move_results
from search.dashboard.gene_analysis.statistics import (
    GeneStatistics,
    NodeTypeCount,
    ProxyStatistics,
    Quantiles,
    genes,
    learnt_values,
    node_types,
    proxies,
    quantiles,
    top,
    trained,
)
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView

if TYPE_CHECKING:
    import numpy as np

PATIENCE = 0.1  # seconds that pages wait for an analysis, counted from its beginning
FEW = 500  # new genomes that are read without a process of their own
GROWTH = 1.1  # growth of the number of trials after which the importance of genes is computed again


class Answers(NamedTuple):
    """The answers of the trained networks whose genome could be read, the best first."""

    numbers: Sequence[int]  # of the trials
    codes: np.ndarray  # (trials, holes): kinds of answers from 1, or 0 for a hole that a genome does not have
    values: np.ndarray  # (trials,): the learnt value; nan for trials that were not trained to their end
    is_top: np.ndarray  # (trials,)
    is_pruned: np.ndarray  # (trials,)


class GeneFindings(NamedTuple):
    """The results of an analysis."""

    mark: str  # differs from the mark of every other result
    trials: int  # trained networks
    top: int  # networks among the best
    unread: int  # networks whose genome could not be read
    is_weighing: bool  # whether the importance of genes is still being computed
    importance: Importance | None
    genes: Sequence[GeneStatistics]
    node_types: Sequence[NodeTypeCount]
    proxies: Sequence[ProxyStatistics]
    quantiles: Quantiles | None
    effects: Sequence[Effect]
    moves: Sequence[MoveResult]
    answers: Answers


class ReadProgress(NamedTuple):
    """The progress of reading genomes."""

    read: int  # genomes
    total: int  # genomes
    trouble: str | None = None  # the error that ended the analysis


class GeneAnalysis:
    """The analysis of one study. A page shows the last results, which may be a moment old."""

    def __init__(self) -> None:
        self.progress = ReadProgress(0, 0)
        self._findings: GeneFindings | None = None
        self._config: StudyConfig | None = None
        self._mark: str | None = None
        self._codes: dict[int, bytes | None] = {}
        self._weighed: Importance | None = None
        self._weighed_at = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._began = 0.0

    def findings(self, snapshot: Snapshot, patience: float = PATIENCE) -> GeneFindings | None:
        """Return the last results, None where there are none yet; a changed study is analysed again.

        patience: seconds after its beginning until which an analysis is waited for.
        """
        with self._lock:
            if self._config is not snapshot.config:  # a first analysis, or another study of the same name
                self._config, self._findings, self._mark, self._codes = snapshot.config, None, None, {}
                self._weighed, self._weighed_at = None, 0
            is_busy = self._thread is not None and self._thread.is_alive()
            if not is_busy and self._mark != snapshot.mark:
                self._thread = threading.Thread(target=self._work, args=(snapshot,), daemon=True)
                self._began = time.monotonic()
                self._thread.start()
            thread, until = self._thread, self._began + patience
        if thread is not None:
            thread.join(max(0.0, until - time.monotonic()))
        return self._findings

    def _work(self, snapshot: Snapshot) -> None:
        try:
            for made in self._learn(snapshot):
                self._keep(snapshot, made)
        except Exception as error:  # the page shows the error in place of the results
            self.progress = self.progress._replace(trouble=f"{type(error).__name__}: {error}")
            self._keep(snapshot, None)

    def _keep(self, snapshot: Snapshot, made: GeneFindings | None) -> None:
        with self._lock:
            if self._config is snapshot.config:
                self._findings, self._mark = made, snapshot.mark

    def _learn(self, snapshot: Snapshot) -> Iterator[GeneFindings]:
        """The results: first without the importance of genes, which takes longer, then with it."""
        import numpy as np

        space, ordered = snapshot.config.space, trained(snapshot)
        rows = self._read(snapshot.config, ordered)
        read = [(trial, row) for trial, row in zip(ordered, rows, strict=True) if row is not None]
        codes = np.frombuffer(b"".join(row for _, row in read), np.uint8).reshape(len(read), len(space.holes))
        values = np.array(learnt_values(snapshot, [trial for trial, _ in read]))
        is_top = np.arange(len(read)) < len(top(read))
        is_pruned = np.array([trial.outcome == "pruned" for trial, _ in read], dtype=bool)
        answers = Answers([trial.record.number for trial, _ in read], codes, values, is_top, is_pruned)
        costs = np.array([snapshot.goal.cost(value) for value in values])
        seen = effects(space.holes, codes, [trial.ops for trial, _ in read], costs, is_pruned)
        moved = move_results(snapshot)
        must_weigh = self._weighed_at == 0 or len(read) >= GROWTH * self._weighed_at

        def made(is_weighing: bool) -> GeneFindings:
            return GeneFindings(
                f"{snapshot.mark}{'-' if is_weighing else ''}",
                len(ordered),
                len(top(ordered)),
                len(ordered) - len(read),
                is_weighing,
                self._weighed,
                genes(space.holes, codes, values, is_top, self._weighed),
                node_types(ordered),
                proxies(snapshot),
                quantiles(values),
                seen,
                moved,
                answers,
            )

        yield made(must_weigh)
        if must_weigh:
            self._weighed, self._weighed_at = _weigh(codes), len(read)
            yield made(False)

    def _read(self, config: StudyConfig, ordered: Sequence[TrialView]) -> list[bytes | None]:
        """The kinds of answers of each genome, in the order of the space's holes; None for an unreadable genome."""
        codes, whole = self._codes, len(ordered)
        fresh = [trial.record for trial in ordered if trial.record.number not in codes]
        self.progress = ReadProgress(whole - len(fresh), whole)
        rows = [(record.genome, dict(record.searched)) for record in fresh]
        # a space cannot be pickled, its text can
        read = (
            starmap(partial(kinds, config.space), rows)
            if len(fresh) <= FEW
            else map_apart(partial(kinds_in, config.text(), config.data.known_shape), rows)
        )
        for place, (record, found) in enumerate(zip(fresh, read, strict=True), start=whole - len(fresh) + 1):
            codes[record.number] = found
            self.progress = ReadProgress(place, whole)
        return [codes[trial.record.number] for trial in ordered]


def _weigh(codes: np.ndarray) -> Importance | None:
    """The importance of genes for the order of networks, the best first."""
    import numpy as np

    if len(codes) < LEAST:
        return None
    return next(map_apart(importance, [(codes, np.arange(len(codes)))]))
