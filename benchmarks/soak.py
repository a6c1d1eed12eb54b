"""What a study loses: processes killed at any moment, bits flipped in what is stored, texts that are no study.

- kills: one study of short trials, evolution and a finale; coordinators, workers, the process that forks workers and
  whole groups are killed with -9 at random moments, the first and the last included, and the command is given again.
  Meanwhile other processes read the study, show its pages, export from it, tag its trials and stop it; some are killed.
- many: many short trials on eight workers, beside the same on one.
- purse: one budget that several coordinators spend on a database server; one after another joins.
- disk: one study whose disk becomes full in the middle of trials, checkpoints, finales and exports (as root, on Linux).
- bucket: one study whose artifacts are in a bucket that is cut off again and again, and killed in some of the cuts.
- network: two coordinators and a database server; the network of one is cut again and again (as root, on Linux).
- making: studies of two trials, each killed once within its first seconds, then run to its end.
- bits: one bit flipped in a file of a finished study or of its export; then everything that the file is read for.
- texts: texts of studies, genomes and reports, changed at random or random altogether; each is read or refused.

Each part prints its figures; those that must be 0 end the command with 1 where they are not.

`--storage postgres` starts a server of PostgreSQL for the part, which is removed at its end.
`--engine ray` lets the trials of `kills` and `many` run on a Ray cluster that the part starts and ends.

    python -m benchmarks.soak [kills many purse disk bucket network making bits texts] [--kills 200] [..]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import (
    _soak_bits,
    _soak_bucket,
    _soak_disk,
    _soak_growing,
    _soak_kills,
    _soak_many,
    _soak_network,
    _soak_ray,
    _soak_texts,
)
from benchmarks._soak_readers import FAILED
from search.config.engine import ENGINES, LOCAL
from tests import postgres

POSTGRES = "postgres"


class Figure(NamedTuple):
    """What a part found of something."""

    what: str
    found: float
    most: float | None = None  # None: told, not judged

    @property
    def is_missed(self) -> bool:
        return self.most is not None and self.found > self.most


def kills(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Kill one study many times."""
    with _storage(given.storage) as storage, _victims(given.engine) as victims:
        found = _soak_kills.study(folder, given.kills, given.seed, storage, victims)
    for victim, count in found.kills.items():
        yield Figure(f"kills of {victim}", count)
    if isinstance(victims, _soak_ray.Cluster):
        for how, count in victims.ends.items():
            yield Figure(f"ends of the coordinator by that of the head, {how}", count)
    yield from _left(found)
    for act, count in sorted(found.answers.items()):
        yield Figure(f"others, {act}", count, 0 if act.endswith(FAILED) else None)
    yield Figure("trials and marks that others saw and that are gone or changed", found.missed, 0)


def _left(found: _soak_kills.Found) -> Iterator[Figure]:
    """Tell what is left of a study."""
    yield Figure("trials", found.trials)
    yield Figure("trials whose result changed or was lost", found.changed, 0)
    yield Figure("trials whose folder was there and which the storage did not know", found.lost, 0)
    yield Figure("networks trained twice", found.twice, 0)
    yield Figure("numbers missing or used twice", found.gaps, 0)
    yield Figure("interrupted trials that were not repeated exactly once", found.unpaired, 0)
    yield Figure("trials without an outcome at the end", found.open, 0)
    yield Figure("temporary files left", found.left, 0)
    yield Figure("seconds charged, against those of the trials: difference in %", found.difference, 1)
    yield Figure("ends of the command with another status than 0", found.bad_ends, 0)


def many(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Run many short trials on many workers, and on one."""
    found = {}
    for workers in (1, given.workers):
        with _storage(given.storage) as storage, _cluster(given.engine, workers) as cluster:
            place = folder / str(workers)
            one = found[workers] = _soak_many.many(place, given.trials, workers, storage, cluster)
        on = f"on {workers} {'worker' if workers == 1 else 'workers'}"
        yield Figure(f"trials {on}", one.trials)
        yield Figure(f"results {on} that were lost or are others", one.lost, 0)
        yield Figure(f"faults of numbers, outcomes, charges and files {on}", one.faults, 0)
        yield Figure(f"seconds of the command a trial {on}", one.seconds / one.trials)
        yield Figure(
            f"processor seconds of the coordinator a trial {on}", one.coordinator_seconds / one.trials
        )
        yield Figure(f"processor seconds of all processes a trial {on}", one.processor_seconds / one.trials)
    alone, beside = found.values()
    ratio = beside.coordinator_seconds / alone.coordinator_seconds
    yield Figure("overhead a trial, ratio of the coordinators' processor seconds", ratio, 1.2)


def purse(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Spend one budget by several coordinators."""
    with _server(given.storage) as storage:
        found = _soak_many.purse(folder, given.seconds, given.coordinators, storage)
    yield Figure("coordinators", given.coordinators)
    yield Figure("budget, s", given.seconds)
    yield Figure("trials", found.trials)
    yield Figure("spent above the budget, in %", found.over, 1)
    yield Figure("faults of numbers, outcomes, charges and files", found.faults, 0)
    yield Figure("ends of the command with another status than 0", found.bad_ends, 0)


def network(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Cut one of two coordinators from the storage."""
    with _server(given.storage) as storage:
        found = _soak_network.cuts(folder, given.cuts, given.cut_seconds, given.seed, storage)
    yield Figure(f"cuts of {given.cut_seconds:g} s", found.cuts)
    yield from _left(found.found)


def disk(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Fill the disk of one study many times."""
    full = _soak_disk.fills(folder, given.fills, given.seed)
    for moment, count in full.filled.items():
        yield Figure(f"times that the disk became full in {moment}", count)
    yield from _ends(full.ends)


def bucket(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Cut a study off from its bucket many times."""
    away = _soak_bucket.cuts(folder, given.cuts, given.cut_seconds, given.seed)
    for how, count in away.cuts.items():
        yield Figure(f"cuts of {given.cut_seconds:g} s in which connections were {how}", count)
    yield Figure("of these, with the whole group killed", away.killed)
    for how in (_soak_bucket.READ, _soak_bucket.REMOVED):
        yield Figure(f"weights in the bucket, {how}", away.weights[how])
    how = _soak_bucket.UNREADABLE
    yield Figure(f"weights that are recorded as stored, {how} in the bucket", away.weights[how], 0)
    yield from _ends(away.ends)


def _ends(ends: _soak_growing.Ends) -> Iterator[Figure]:
    """Tell how the commands of a study ended, and what is left of it."""
    yield Figure("commands that ended by it with a sentence", ends.ended)
    yield Figure("tracebacks, and ends without a sentence", ends.tracebacks, 0)
    yield Figure("commands that ended with another status than 0 when it was over", ends.refused, 0)
    yield Figure("trials that failed", ends.failed, 0)
    yield from _left(ends.found)


@contextmanager
def _victims(engine: str) -> Iterator[_soak_kills.Victims]:
    """Yield what is killed of a study on an engine."""
    if engine == LOCAL:
        yield _soak_kills.OfThisMachine()
        return
    with closing(_soak_ray.Cluster(cpus=1, has_node=True)) as cluster:
        yield cluster


@contextmanager
def _cluster(engine: str, cpus: int) -> Iterator[_soak_ray.Cluster | None]:
    """Yield a cluster of one node, None for the engine of this machine."""
    if engine == LOCAL:
        yield None
        return
    with closing(_soak_ray.Cluster(cpus, has_node=False)) as cluster:
        yield cluster


@contextmanager
def _storage(named: str | None) -> Iterator[str | None]:
    """Yield the URL of an empty database, None for SQLite."""
    if named != POSTGRES:
        yield named
        return
    with postgres.server() as server:
        yield server.fresh()


@contextmanager
def _server(named: str | None) -> Iterator[str]:
    """Yield the URL of an empty database of a server."""
    with _storage(named or POSTGRES) as storage:
        assert storage is not None
        yield storage


def making(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Kill many studies while they are made."""
    yield Figure("studies killed while they are made", given.makings)
    broken = _soak_kills.makings(folder, given.makings, given.seed)
    yield Figure("studies that did not end whole", broken, 0)


def bits(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Flip bits in stored files."""
    found = _soak_bits.flips(folder, given.flips, given.seed)
    yield Figure("bits flipped", given.flips)
    for word in ("refused", "the same"):
        yield Figure(word, found[word])
    for word in ("another result", "traceback"):
        yield Figure(word, found[word], 0)


def texts(given: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """Read broken texts."""
    found = _soak_texts.read_all(folder, given.texts, given.seed)
    yield Figure("texts", found.texts)
    yield Figure("read", found.read)
    yield Figure("refused", found.refused)
    yield Figure("tracebacks", found.tracebacks, 0)
    yield Figure("the slowest, s", found.slowest, 1)
    yield Figure("growth of the memory, MiB", found.growth_mib, 200)


PARTS: Mapping[str, Callable[[argparse.Namespace, Path], Iterator[Figure]]] = {
    "kills": kills,
    "many": many,
    "purse": purse,
    "disk": disk,
    "bucket": bucket,
    "network": network,
    "making": making,
    "bits": bits,
    "texts": texts,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--storage", help="URL of an empty database, or postgres; default: SQLite where it can be"
    )
    parser.add_argument("--engine", choices=ENGINES, default=LOCAL, help="of the parts kills and many")
    parser.add_argument("--trials", type=int, default=1_000, help="short trials of the part many")
    parser.add_argument("--workers", type=int, default=8, help="of the part many, beside one")
    parser.add_argument("--coordinators", type=int, default=3, help="of the part purse, with one worker each")
    parser.add_argument("--seconds", type=float, default=300.0, help="budget of the part purse")
    parser.add_argument("--fills", type=int, default=40, help="times that the disk of the part disk is full")
    parser.add_argument("--cuts", type=int, default=6, help="of the network, and of the bucket")
    parser.add_argument("--cut-seconds", type=float, default=20.0, help="that a cut lasts")
    parser.add_argument("--makings", type=int, default=20, help="studies that are killed while they are made")
    parser.add_argument("--flips", type=int, default=400)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    is_missed = False
    for part in given.parts:
        with tempfile.TemporaryDirectory(prefix="genome-soak-") as folder:
            print(f"{part}, seed {given.seed}", flush=True)
            for figure in PARTS[part](given, Path(folder)):
                is_missed |= figure.is_missed
                goal = "" if figure.most is None else f"  (goal: at most {figure.most:g})"
                print(f"  {figure.what}: {figure.found:g}{goal}{'  MISSED' * figure.is_missed}", flush=True)
    sys.exit(is_missed)


if __name__ == "__main__":
    main()
