"""CPU milliseconds a trial costs outside training, by sampler and by the number of finished trials.

A study on the default storage (SQLite) holds a number of finished trials of a space with 60 holes. A coordinator then
asks for networks as in a search. Each network is built as its worker would build it, and is told to the study with a
made-up report. The measure is CPU time: asking (the sampler, decoding, resolving, the digest, the trial's first
writes), building, telling (the budget, the report, the end of the trial). Samplers take turns. A duplicate of a known
network is not trained again: `asks` is the number of asks for each trained network, and `ask` is the time of the last
ask.

Goals: evolve at least 20 times cheaper than TPE at 1,000 finished trials (without building, which is the same for
all), and at most 1 % of a trial of 10 s up to 5,000; bayes at most 0.3 s at 1,000.

    python benchmarks/sampling_cost.py [--finished 100 1000 5000] [--samplers tpe nsga2 random evolve]
                                       [--space types] [--trials 20]
"""

from __future__ import annotations

import argparse
import json
import math
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from optuna.distributions import distribution_to_json

import genome
from genome.domain import Domain
from search.config.candidate import candidate
from search.config.read import parse_study
from search.config.study import StudyConfig
from search.proposals.history import History
from search.run.active_trial import ActiveTrial, State
from search.run.assembly import assembled
from search.run.budget import Budget
from search.run.context import Context
from search.run.coordinator import Coordinator
from search.run.progress import Silent
from search.samplers.base import ORIGIN, Origin
from search.samplers.registry import proposing
from search.space.distributions import distribution
from search.space.point import Point
from search.space.space import Space
from search.storage.record import CHARGED, GENOME, PLAN, RESULT
from search.storage.study import Store, claim, open_to_run
from search.storage.trial_report import Charge, TrialReport
from trainer import Report

EPOCHS = 9
TRIAL_SECONDS = 10.0
CHEAPER, SHARE, BAYES_SECONDS = 20.0, 0.01, 0.3  # the goals
POPULATION = 50  # of Optuna's NSGA-II


# the places of each space; both spaces have sixty holes
SPACES = {
    # types are searched, as in the studies: a genome answers four of the five holes of a place
    "types": (
        12,
        "{op: {one_of: [conv, separable]}, IN, kernel: {one_of: [3, 5, 7]}, width: {int: [8, 32, 8]}}",
    ),
    # genes alone: every genome answers every hole
    "genes": (20, "{op: conv, IN, kernel: {one_of: [1, 3, 5]}, width: {int: [8, 32, 8]}}"),
}


def study_text(sampler: str, space: str) -> str:
    """Return a study of one of the spaces."""
    lines = [
        f"study: {sampler}",
        "data: digits",
        "objectives: {accuracy: maximize}",
        "trials: 100000",
        f"sampler: {{name: {sampler}, seed: 0}}",
        f"train: {{epochs: {EPOCHS}}}",
        "space:",
        "  nodes:",
        "    n0: {op: conv, in: [image], width: 16}",
    ]
    places, place = SPACES[space]
    for i in range(places):
        skip = f"n{i - 1}" if i else "image"
        lines.append(f"    n{i + 1}: " + place.replace("IN", f"in: [n{i}, ({skip})]"))
    return "\n".join([*lines, f"    out: {{op: exit, in: [n{places}]}}"])


class Spent(NamedTuple):
    """CPU seconds of one trial."""

    ask: float
    build: float
    tell: float
    asks: float  # number of asks until a new network

    @property
    def coordinator(self) -> float:
        """The CPU seconds of the coordinator."""
        return self.ask + self.tell

    @property
    def whole(self) -> float:
        return self.ask + self.build + self.tell


def measured(
    samplers: Sequence[str], space: str, finished: int, trials: int, folder: Path
) -> dict[str, Spent]:
    """Return medians over some trials of studies that hold `finished` trials; the samplers take turns."""
    with ExitStack() as stack:
        open_ = {name: _opened(stack, name, space, finished, folder) for name in samplers}
        rows = [{name: _trial(one) for name, one in open_.items()} for _ in range(trials + 2)]
    # the first two rows fill caches
    return {name: _middle([row[name] for row in rows[2:]]) for name in samplers}


def _middle(trials: list[Spent]) -> Spent:
    """Return medians of the times, and the mean of the asks."""
    times = Spent(*map(statistics.median, zip(*trials, strict=True)))
    return times._replace(asks=statistics.mean(trial.asks for trial in trials))


def _opened(stack: ExitStack, sampler: str, space: str, finished: int, folder: Path) -> Coordinator:
    """Return the coordinator of a study that is filled with finished trials."""
    file = parse_study(study_text(sampler, space), "<study>")
    claimed = stack.enter_context(claim(f"{sampler}-{finished}", folder, None))
    store = open_to_run(claimed, ["maximize"], {})
    fill(store, file, finished)
    run = Context(
        file,
        store,
        Budget(store, None, ["cpu"]),
        Silent(),
        lambda: False,
        History(file.objectives, EPOCHS),
    )
    return assembled(run, None, lambda: False)


def _trial(coordinator: Coordinator) -> Spent:
    """Run one trial without its training through the steps of the scheduler, a worker and the coordinator."""
    asked: list[tuple[float, ActiveTrial | None]] = []
    while not asked or asked[-1][1] is None:
        asked.append(_timed(lambda: _asked(coordinator)))
    ask, trial = asked[-1]
    assert trial is not None
    coordinator.active.enter(trial, State.RUNNING)
    build, _ = _timed(lambda: genome.build(genome.loads(trial.candidate.text)))
    report = Report(
        outcome="done",
        kind=None,
        reason="",
        epochs=EPOCHS,
        best_epoch=EPOCHS,
        valid_accuracy=accuracy(trial.candidate.text, trial.number),
        valid_loss=1.0,
        exits=(),
        curve=(),
        seconds=TRIAL_SECONDS,
        images_per_second=None,
        recipe={"epochs": EPOCHS},
        device="cpu",
        torch=torch.__version__,
        threads=1,
        seed=0,
        peak_memory_bytes=None,
    )
    trained = TrialReport(report, trial.number, trial.candidate.digest, Charge(TRIAL_SECONDS))
    tell, _ = _timed(lambda: coordinator._finish(trial, trained))
    return Spent(ask, build, tell, len(asked))


def _asked(coordinator: Coordinator) -> ActiveTrial | None:
    """Ask once; None where the trial ended at once, refused or a duplicate."""
    scheduler = coordinator.scheduler
    trial = scheduler._admit(scheduler.source.ask())
    coordinator._conclude_untrained()
    return trial


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def accuracy(text: str, number: int) -> float:
    """Return a made-up accuracy: kernels of 3 and separable convolutions are better, and there is noise."""
    good = text.count("kernel: 3") + text.count("separable") - text.count("kernel: 5")
    return 1 / (1 + math.exp(-0.1 * good)) + 0.01 * Random(number).random()


# --- finished trials, written by SQL at once: Optuna's own way takes a fifth of a second for each


def fill(store: Store, file: StudyConfig, count: int) -> None:
    """Put finished trials into a study."""
    space, rng = file.space, Random(1)
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for number in range(count):
        _add(rows, file, space, rng, number)
    connection = sqlite3.connect(store.folder / "study.db")
    with connection:
        for table, columns in TABLES.items():
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows[table]
            )
    connection.close()


TABLES = {
    "trials": ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_id", "key", "value_json"),
}
MOMENT = "2026-01-01 00:00:00.000000"


def _add(
    rows: dict[str, list[tuple[Any, ...]]], file: StudyConfig, space: Space, rng: Random, number: int
) -> None:
    drawn, key = space.sample(rng), number + 1
    network = candidate(Point(drawn), file.train)
    value = accuracy(network.text, number)
    result = {"outcome": "done", "epochs": EPOCHS, "planned_epochs": EPOCHS, "metrics": {"accuracy": value}}
    attrs: dict[str, Any] = {
        GENOME: network.text,
        PLAN: network.facts(),
        RESULT: result,
        CHARGED: TRIAL_SECONDS,
    }
    rows["trials"].append((key, number, 1, "COMPLETE", MOMENT, MOMENT))
    rows["trial_values"].append((key, 0, value, "FINITE"))
    if file.sampler in proposing():
        attrs[ORIGIN] = Origin(file.sampler).to_json()
    else:
        rows["trial_params"] += [
            (key, name, *_internal(space.holes[name], known)) for name, known in space.encode(drawn).items()
        ]
    if file.sampler == "nsga2":
        generation = json.dumps(number // POPULATION)
        rows["trial_system_attributes"].append((key, "NSGAIISampler:generation", generation))
    rows["trial_user_attributes"] += [(key, name, json.dumps(kept)) for name, kept in attrs.items()]


def _internal(domain: Domain, value: Any) -> tuple[float, str]:
    made = distribution(domain)
    return made.to_internal_repr(value), distribution_to_json(made)


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--finished", type=int, nargs="+", default=[100, 1_000, 5_000])
    parser.add_argument("--samplers", nargs="+", default=["tpe", "nsga2", *proposing()])
    parser.add_argument("--space", choices=SPACES, default="types")
    parser.add_argument("--trials", type=int, default=20, help="measured trials")
    given = parser.parse_args()
    torch.set_num_threads(1)
    holes = len(parse_study(study_text("tpe", given.space), "<study>").space.holes)
    print(
        f"{holes} holes; CPU ms a trial, medians of {given.trials}; `times` is TPE's ask + tell over this one's"
    )
    print("| finished | sampler | ask | build | tell | ask + tell | times | of 10 s | asks |")
    print("|" + " --- |" * 9)
    found: dict[tuple[str, int], Spent] = {}
    with tempfile.TemporaryDirectory() as folder:
        for finished in given.finished:
            spent = measured(given.samplers, given.space, finished, given.trials, Path(folder))
            for sampler in given.samplers:
                found[sampler, finished] = spent[sampler]
                print(_line(sampler, finished, found), flush=True)
    for line in _goals(found):
        print(line)


def _line(sampler: str, finished: int, found: dict[tuple[str, int], Spent]) -> str:
    spent, tpe = found[sampler, finished], found.get(("tpe", finished))
    times = f"{tpe.coordinator / spent.coordinator:.1f}x" if tpe is not None else "-"
    parts = [f"{1e3 * part:.1f}" for part in (*spent[:3], spent.coordinator)]
    share = f"{spent.whole / TRIAL_SECONDS:.2%}"
    cells = [f"{finished:,}", sampler, *parts, times, share, f"{spent.asks:.1f}"]
    return "| " + " | ".join(cells) + " |"


def _goals(found: dict[tuple[str, int], Spent]) -> list[str]:
    """Return the goals that were measured, each with a verdict."""
    lines = []
    if {("tpe", 1_000), ("evolve", 1_000)} <= found.keys():
        times = found["tpe", 1_000].coordinator / found["evolve", 1_000].coordinator
        lines.append(f"evolve at 1,000: {times:.1f} times cheaper than TPE; {verdict(times >= CHEAPER)}")
    shares = [spent.whole / TRIAL_SECONDS for (sampler, _), spent in found.items() if sampler == "evolve"]
    if shares:
        lines.append(
            f"evolve: at most {max(shares):.2%} of a trial of {TRIAL_SECONDS:g} s; {verdict(max(shares) <= SHARE)}"
        )
    if ("bayes", 1_000) in found:
        seconds = found["bayes", 1_000].whole
        lines.append(f"bayes at 1,000: {seconds:.2f} s; {verdict(seconds <= BAYES_SECONDS)}")
    return lines


if __name__ == "__main__":
    main()
