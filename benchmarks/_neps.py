"""Searchers of NePS behind JSON lines: a script for the Python that has NePS, started by `_flat.py`.

The script reads {"searcher", "seed", "parameters"}, where a parameter is {"choices": count} or
{"low", "high", "log"}. Then the script repeats two steps until its input ends: it writes {"answers", "seconds"},
where a choice is its index and `seconds` is the CPU time of the answer, and it reads the accuracy in percent that
those answers reached.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import neps
import numpy as np
import torch

Measure = Callable[[list[float]], float]

INITIAL = 10  # draws before the model, as in Optuna's TPE; NePS's default is one for each parameter


def bayesian_optimization(parameters: list[dict[str, Any]], seed: int, measure: Measure) -> None:
    initial = min(INITIAL, len(parameters))
    ask(neps.algorithms.bayesian_optimization(space(parameters), initial_design_size=initial), seed, measure)


def random_search(parameters: list[dict[str, Any]], seed: int, measure: Measure) -> None:
    ask(neps.algorithms.random_search(space(parameters)), seed, measure)


SEARCHERS = {"neps": bayesian_optimization, "neps-random": random_search}


def space(parameters: list[dict[str, Any]]) -> Any:
    """Return the parameters as a space of NePS; their names are p0, p1 and so on."""
    fields = {f"p{i}": field(one) for i, one in enumerate(parameters)}
    return type("Space", (neps.PipelineSpace,), fields)()


def field(one: dict[str, Any]) -> Any:
    if "choices" in one:
        return neps.Categorical(tuple(range(one["choices"])))
    return neps.Float(one["low"], one["high"], log=one["log"])


def ask(optimizer: Any, seed: int, measure: Measure) -> None:
    random.seed(seed)  # NePS draws from the global generators
    np.random.seed(seed)
    torch.manual_seed(seed)
    asked = neps.AskAndTell(optimizer=optimizer)
    while True:
        trial = asked.ask()
        valid = measure([trial.config[f"p{i}"] for i in range(len(trial.config))])
        asked.tell(trial, 1 - valid / 100)


def main() -> None:
    given = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output that libraries print must not mix with the answers
    began = time.process_time()

    def measure(answers: list[float]) -> float:
        nonlocal began
        out.write(json.dumps({"answers": answers, "seconds": time.process_time() - began}) + "\n")
        out.flush()
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        began = time.process_time()
        return float(json.loads(line))

    SEARCHERS[given["searcher"]](given["parameters"], given["seed"], measure)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    main()
