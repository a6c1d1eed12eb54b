"""What a sampler of ours may learn from: the trials of a study as individuals, each read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import genome
from genome import Genome
from search.config.candidate import Candidate
from search.objective import LEARNT, Objective
from search.samplers.base import Individual, Origin
from search.storage.record import UNFINISHED, Record


class Past:
    """The individuals of one study, by number.

    `digests` are those of all networks that were met, `repeats` how many of the last in a row had been met before.
    """

    def __init__(self, objectives: Sequence[Objective], epochs: int) -> None:
        self.objectives, self.epochs = objectives, epochs
        self.digests: set[str] = set()
        self.repeats = 0
        self._known: dict[int, Individual] = {}

    def __len__(self) -> int:
        return len(self._known)

    def met(self, digest: str) -> None:
        """Count how often in a row a network comes that is known."""
        self.repeats = self.repeats + 1 if digest in self.digests else 0

    @property
    def screened(self) -> int:
        """How many networks of trials were screened; an interrupted trial and its repetition have one."""
        return len({one.digest for one in self._known.values() if one.proxies is not None})

    def begun(
        self,
        number: int,
        written: Genome,
        network: Candidate,
        origin: Origin | None,
        proxies: Mapping[str, float] | None = None,
    ) -> None:
        """Take in a trial that was just begun, or is about to be told what came of it."""
        self.digests.add(network.digest)
        self._known[number] = Individual(
            number, written, network.digest, is_running=True, origin=origin, proxies=proxies
        )

    def add(self, record: Record) -> None:
        """Take in a trial as the storage has it; one without a genome teaches nothing."""
        known = self._known.get(record.number)
        if known is None and record.genome is None:
            return
        written = known.genome if known else genome.loads(record.genome or "")
        if record.digest is not None:
            self.digests.add(record.digest)
        self._known[record.number] = Individual(
            record.number,
            written,
            record.digest or "",
            _costs(record, self.objectives),
            min(1.0, (record.epochs or 0) / self.epochs),
            record.violation,
            record.outcome in UNFINISHED and record.outcome != "paused",
            record.origin,
            record.search_seconds,
            self._climb(record),
            self._goal,
            record.proxies,
        )

    @property
    def _goal(self) -> int:
        """Where among the objectives the one is that trials are compared by while they are trained."""
        return next(i for i, objective in enumerate(self.objectives) if objective.name in LEARNT)

    def _climb(self, record: Record) -> tuple[tuple[float, float], ...]:
        rungs = sorted(record.rungs.items()) if record.reused is None else ()
        return tuple((epoch / self.epochs, -score) for epoch, score in rungs)

    def digest(self, number: int) -> str | None:
        """Return the digest of a trial's network, None where it has none."""
        return self._known[number].digest if number in self._known else None

    def individuals(self) -> list[Individual]:
        """Return all of them, by number."""
        return [self._known[number] for number in sorted(self._known)]


def _costs(record: Record, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """What was measured, lower is better; of a pruned or paused trial what it had at its last rung."""
    if record.values is not None:
        return tuple(o.cost(value) for o, value in zip(objectives, record.values, strict=True))
    if not record.rungs or record.outcome not in ("pruned", "paused"):
        return None
    planned: Mapping[str, float | None] = {
        "params": record.params,
        "macs": record.macs,
        "memory": record.memory_bytes,
    }
    first = next(objective.name for objective in objectives if objective.name in LEARNT)
    found = []
    for objective in objectives:
        value = planned.get(objective.name)
        if objective.name == first:
            found.append(-record.rungs[max(record.rungs)])
        elif value is not None:
            found.append(objective.cost(value))
        else:  # measured at the end only
            return None
    return tuple(found)
