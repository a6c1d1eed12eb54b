"""Searchers of other projects, each a process in its own Python.

These searchers see a space as a flat list of parameters.
"""

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
    """Return a hole in the form that these projects expect: a float range, or a number of choices."""
    if isinstance(domain, Float):
        return {"low": domain.low, "high": domain.high, "log": domain.log}
    return {"choices": len(_choices(domain))}


def answer(domain: Domain, said: float) -> Any:
    """Return the value of a hole that a parameter's value stands for."""
    return float(said) if isinstance(domain, Float) else _choices(domain)[int(said)]


def _choices(domain: Domain) -> tuple[Any, ...]:
    assert not isinstance(domain, Float)
    if isinstance(domain, Int):
        return tuple(range(domain.low, domain.high + 1, domain.step))
    return domain.choices


class Flat:
    """A searcher in another Python. It answers all holes of the space; answers without effect are ignored.

    The searcher is told accuracies only: a refused network has accuracy 0. `seconds` is the searcher's CPU time,
    without its imports.
    """

    def __init__(self, word: str, python: Path, space: Space, seed: int) -> None:
        self.word, self.space, self.seconds = word, space, 0.0
        # isolated: files of this folder would hide modules of the searcher's libraries
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
        """End the process, even if it is still computing an answer that is no longer needed."""
        self.worker.kill()
        self.worker.communicate()

    def _say(self, what: Any) -> None:
        assert self.worker.stdin is not None
        self.worker.stdin.write(json.dumps(what) + "\n")
        self.worker.stdin.flush()
