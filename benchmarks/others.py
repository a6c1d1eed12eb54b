"""The default sampler beside searchers of NePS and NNI: the same space, objective, number of trials and seeds.

The objective is the validation accuracy of a table (`--table`), or of networks that this benchmark trains briefly
(`--train`: the space and limits of `_races.py`, a part of Fashion-MNIST).

`auto`, `bayes`, `evolve`, `random` and Optuna's are the samplers of studies. `auto` depends on the length of
the trainings: it is bayes on a table, and evolution after ten trainings of under three seconds. `neps` is
Bayesian optimisation and `neps-random` random search of NePS; `nni-tpe` is NNI's tuner and `nni-evolution`
regularised evolution of nni.nas (10 alive, the best of 3 breeds). The benchmark leaves out NePS's regularised
evolution: in 0.17.0 it does no better than random search, because the names of a trial's parameters have a
prefix that its mutation does not know.

The searchers of NePS and NNI see a space as a flat list of parameters, one a hole, and whole numbers as
choices. They answer all parameters; answers without effect are ignored. Bayesian optimisation and both TPE
begin with 10 draws (NePS in a smaller space with one for each parameter). Each searcher runs in its own
Python:

    python -m venv neps && neps/bin/pip install neural-pipeline-search==0.17.0
    python -m venv nni && nni/bin/pip install nni==3.0 pytorch-lightning==1.9.5 "setuptools<81" torch torchvision

A trial is a network that is trained. A duplicate of an earlier network of the same search gets the earlier
report, and is no trial. A network over the limits is refused, and is no trial either: our samplers and
Optuna's are told by how much the network is over the limits, as in a study; the others are told an accuracy
of 0. After 20 asks in a row without a new network the trial is lost.

`--folder` stores the finished trainings and searches. The same command continues with the missing ones, and several
commands may run side by side on the folder, each with some of the seeds or searchers.

    python -m benchmarks.others --table nb201 --folder FOLDER --neps-python neps/bin/python --nni-python nni/bin/python
    python -m benchmarks.others --train --data-root FOLDER --folder FOLDER [--trials 40] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna

from benchmarks._flat import SCRIPTS, Flat
from benchmarks._rounds import prepare
from benchmarks._searchers import Searcher, Told, of_study
from benchmarks._tables import TABLES, MissingTable, Table
from benchmarks._trained import trained
from genome import Genome
from search.samplers.registry import names
from search.space.space import Space

ON_TABLES = ("auto", "random", "tpe", *SCRIPTS)
IN_TRAINING = ("auto", "bayes", *ON_TABLES[1:])
MOST = 20  # asks for one trial


@dataclass(frozen=True)
class Objective:
    """The objective of a search."""

    name: str
    space: Space
    measure: Callable[[Genome], Told]  # the result of a genome of the space


@dataclass(frozen=True)
class Search:
    """The result of one search."""

    best: list[float]  # the best accuracy in percent after each trial
    networks: int  # trained networks
    asks: int
    seconds: float  # CPU seconds of the searcher


def on_table(name: str, table: Table) -> Objective:
    """Return a table as an objective."""

    def measure(written: Genome) -> Told:
        code = table.code(written)
        return Told(table.digest(code), table.rows[code].valid)

    return Objective(name, table.space, measure)


def search(objective: Objective, searcher: Searcher, trials: int) -> Search:
    """Run a searcher for that many trials."""
    best: list[float] = []
    known: dict[str, Told] = {}
    asks, seconds = 0, 0.0
    for _ in range(trials):
        for _ in range(MOST):
            began = time.process_time()
            asked = searcher.ask()
            seconds += time.process_time() - began
            told = objective.measure(asked)
            is_new = told.violation <= 0 and told.digest not in known
            began = time.process_time()
            searcher.tell(known.setdefault(told.digest, told))
            seconds += time.process_time() - began
            asks += 1
            if is_new:
                break
        best.append(max((one.valid for one in known.values()), default=0.0))
    networks = sum(one.violation <= 0 for one in known.values())
    return Search(best, networks, asks, seconds)


def searched(word: str, seed: int, objective: Objective, given: argparse.Namespace) -> Search:
    """Run one search, or read its stored result."""
    kept = given.folder / f"{objective.name}-{given.trials}-{word}-{seed}.json"
    if kept.exists():
        return Search(**json.loads(kept.read_text()))
    if other := python(word, given):
        flat = Flat(word, other, objective.space, seed)
        try:
            found = search(objective, flat, given.trials)
        finally:
            flat.close()
        found = Search(found.best, found.networks, found.asks, found.seconds + flat.seconds)
    else:
        found = search(objective, of_study(word, objective.space, seed), given.trials)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(asdict(found)))
    part.replace(kept)
    return found


def python(word: str, given: argparse.Namespace) -> Path | None:
    """Return the Python of a searcher of another project; None for our searchers, or where no Python is given."""
    pythons: dict[str, Path | None] = {"_neps.py": given.neps_python, "_nni.py": given.nni_python}
    return pythons[SCRIPTS[word].name] if word in SCRIPTS else None


def table(objective: Objective, given: argparse.Namespace) -> None:
    """Run all searchers that are asked for, and print their results."""
    marks = [max(1, given.trials * quarters // 4) for quarters in (1, 2, 4)]
    print(f"{objective.name}: {len(objective.space.holes)} holes, {given.trials} trials\n")
    at = " | ".join(f"at {mark}" for mark in marks)
    print(f"| searcher | seeds | {at} | asks a network | CPU s of sampling a trial |")
    print("|" + " --- |" * (len(marks) + 4))
    left_out = [word for word in given.searchers if word in SCRIPTS and python(word, given) is None]
    for word in given.searchers:
        if word not in left_out:
            print(line(word, [searched(word, s, objective, given) for s in given.seeds], marks), flush=True)
    if left_out:
        print(f"\nleft out, because no Python that has them is given: {', '.join(left_out)}")


def line(word: str, searches: list[Search], marks: Iterable[int]) -> str:
    """Return a searcher's line of the table."""
    best = [_mean([one.best[mark - 1] for one in searches]) for mark in marks]
    asks = sum(one.asks for one in searches) / sum(one.networks for one in searches)
    seconds = sum(one.seconds for one in searches) / sum(len(one.best) for one in searches)
    return "| " + " | ".join([word, str(len(searches)), *best, f"{asks:.2f}", f"{seconds:.3f}"]) + " |"


def _mean(values: list[float]) -> str:
    """Return mean and standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.2f} ±{error:.2f}"


def objective_of(given: argparse.Namespace) -> Objective:
    """Return the objective that the command line asks for."""
    if given.table:
        return on_table(given.table, TABLES[given.table](given.data))
    there = trained(given.data_root, given.images, given.valid, given.epochs, given.folder)
    return Objective(there.path.stem, there.file.space, there)


def main() -> None:
    given = arguments()
    prepare()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        table(objective_of(given), given)
    except MissingTable as missing:
        raise SystemExit(str(missing)) from None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--table", choices=TABLES)
    what.add_argument("--train", action="store_true")
    parser.add_argument(
        "--folder", type=Path, required=True, help="holds the finished trainings and searches"
    )
    parser.add_argument("--neps-python", type=Path)
    parser.add_argument("--nni-python", type=Path)
    parser.add_argument("--searchers", nargs="+", choices=[*names(), *SCRIPTS])
    parser.add_argument("--trials", type=int, help="default: 100 on a table, 40 with --train")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/nasbench"), help="folder of the tables"
    )
    parser.add_argument("--data-root", help="folder of Fashion-MNIST")
    parser.add_argument("--images", type=int, default=1500, help="train images")
    parser.add_argument("--valid", type=int, default=1000, help="validation images")
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    given.trials = given.trials or (100 if given.table else 40)
    given.searchers = given.searchers or (ON_TABLES if given.table else IN_TRAINING)
    given.folder.mkdir(parents=True, exist_ok=True)
    return given


if __name__ == "__main__":
    main()
