"""Samplers against each other on the tables of NAS-Bench-201 and NAS-Bench-Macro.

Each sampler runs over many seeds. The table shows the mean of the best validation accuracy after 25, 50, 100 and 200
queries with its standard error, the median number of queries until the accuracy is within half a point of the table's
best, and the test accuracy of the network that was best by validation.

A query is a network that is trained. A study trains equal networks once: a duplicate by digest takes the report of
the first, and is no query (rows `once`). Plain samplers, outside of a study, train every network they draw (rows
`each`).

`uniform` draws rows of the table. `regularised` is regularised evolution on the rows (30 alive, the best of 10
breeds). The others are the samplers of studies, on the space.

    python benchmarks/tabular.py [--table nb201] [--data ../shared/data/nasbench] [--samplers tpe evolve]
                                 [--seeds 30] [--queries 200]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import optuna

from benchmarks._searchers import Searcher, Told, searcher
from benchmarks._tables import TABLES, MissingTable, Row, Table
from search.samplers.registry import proposing

MARKS = (25, 50, 100, 200)
NEAR = 0.5  # points below the best of the table
CHEAP = ("uniform", "regularised", "random", "evolve")
SEEDS, FEW = 200, 30  # for cheap samplers, and for samplers that fit a model
MOST = 20  # draws for each query; a sampler that only repeats itself stops after them
PLAIN = ("uniform", "regularised", "tpe", "nsga2")


class Curve(NamedTuple):
    """The best network so far after each query."""

    best: list[Row]

    def at(self, queries: int) -> Row:
        return self.best[min(queries, len(self.best)) - 1]

    def reaches(self, valid: float) -> float:
        """Return the number of the first query that reaches `valid`; infinite where no query does."""
        return next((i for i, row in enumerate(self.best, 1) if row.valid >= valid), float("inf"))


def search(table: Table, ask: Searcher, queries: int, once: bool) -> Curve:
    """Run a sampler for that many queries. `once`: equal networks are trained once."""
    best: list[Row] = []
    reports: dict[str, Row] = {}
    for _ in range(MOST * queries):
        if len(best) == queries:
            break
        code = table.code(ask.ask())
        digest = table.digest(code)
        repeats = once and digest in reports
        row = reports.setdefault(digest, table.rows[code]) if once else table.rows[code]
        ask.tell(Told(digest, row.valid))
        if not repeats:
            best.append(max([*best[-1:], row], key=lambda one: one.valid))
    return Curve(best)


def mean(values: list[float]) -> str:
    """Return mean and standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.2f} ±{error:.2f}"


def line(table: Table, word: str, once: bool, seeds: int, queries: int) -> str:
    """Return a sampler's line of the table."""
    began = time.process_time()
    curves = [search(table, searcher(word, table, seed), queries, once) for seed in range(seeds)]
    marks = [mean([curve.at(q).valid for curve in curves]) if q <= queries else "-" for q in MARKS]
    near = statistics.median(curve.reaches(table.best - NEAR) for curve in curves)
    within = f"{near:g}" if near <= queries else f">{queries}"
    test = mean([curve.at(queries).test for curve in curves])
    cost = (time.process_time() - began) / seeds
    cells = [word, "once" if once else "each", str(seeds), *marks, within, test, f"{cost:.2f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", choices=TABLES, default="nb201")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/nasbench"))
    parser.add_argument(
        "--samplers", nargs="+", default=[*PLAIN, *proposing()], choices=[*PLAIN, *proposing()]
    )
    parser.add_argument("--seeds", type=int, help="default: 200 for cheap samplers, 30 for the others")
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        table = TABLES[given.table](given.data)
    except MissingTable as missing:
        raise SystemExit(str(missing)) from None
    print(f"{table.name}: {len(table.rows):,} networks, the best {table.best:.2f}")
    marks = " | ".join(f"at {q}" for q in MARKS)
    print(f"| sampler | trained | seeds | {marks} | within {NEAR} | test | CPU s a run |")
    print("|" + " --- |" * 10)
    for word in given.samplers:
        for once in (False, True) if word in PLAIN else (True,):
            seeds = given.seeds or (SEEDS if word in CHEAP else FEW)
            print(line(table, word, once, seeds, given.queries), flush=True)


if __name__ == "__main__":
    main()
