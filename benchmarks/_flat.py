"""Searchers of other projects, each a process in a Python of its own, that see a space as a flat list of parameters."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks._searchers import Told
from genome import Genome
from genome.domain import Domain, Float, Int
from search.space.space import Space

HERE = Path(__file__).parent
SCRIPTS = {
    "neps": HERE / "_neps.py",
    "neps-random": HERE / "_neps.py",
    "nni-tpe": HERE / "_nni.py",
    "nni-evolution": HERE / "_nni.py",
}


def parameter(domain: Domain) -> dict[str, Any]:
    """A hole as these projects know it: a float range, or a number of choices."""
    if isinstance(domain, Float):
        return {"low": domain.low, "high": domain.high, "log": domain.log}
    return {"choices": len(_choices(domain))}


def answer(domain: Domain, said: float) -> Any:
    """What a parameter's value says of its hole."""
    return float(said) if isinstance(domain, Float) else _choices(domain)[int(said)]


def _choices(domain: Domain) -> tuple[Any, ...]:
    assert not isinstance(domain, Float)
    if isinstance(domain, Int):
        return tuple(range(domain.low, domain.high + 1, domain.step))
    return domain.choices


class Flat:
    """A searcher in another Python: it answers all holes of the space, and those without effect are ignored.

    It is told accuracies alone: a network that was refused has 0. `seconds` is its CPU time, without its imports.
    """

    def __init__(self, word: str, python: Path, space: Space, seed: int) -> None:
        self.word, self.space, self.seconds = word, space, 0.0
        # isolated: this folder's files would hide modules of theirs
        self.worker = subprocess.Popen(
            [python, "-I", "-W", "ignore", SCRIPTS[word]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        parameters = [parameter(domain) for domain in space.holes.values()]
        self._say({"searcher": word, "seed": seed, "parameters": parameters})

    def ask(self) -> Genome:
        assert self.worker.stdout is not None
        line = self.worker.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.word} ended with {self.worker.wait()}")
        said = json.loads(line)
        self.seconds += said["seconds"]
        answers = dict(zip(self.space.holes, said["answers"], strict=True))
        return self.space.decode(lambda name, domain: answer(domain, answers[name]), everything=True)

    def tell(self, told: Told) -> None:
        self._say(told.valid)

    def close(self) -> None:
        """End the process; it may be at work on an answer that nobody wants."""
        self.worker.kill()
        self.worker.communicate()

    def _say(self, what: Any) -> None:
        assert self.worker.stdin is not None
        self.worker.stdin.write(json.dumps(what) + "\n")
        self.worker.stdin.flush()
