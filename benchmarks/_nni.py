"""Searchers of NNI behind JSON lines: a script for the Python that has NNI, started by `_flat.py`.

The script reads and writes the same lines as `_neps.py`.
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

import nni
import numpy as np
from nni.algorithms.hpo.tpe_tuner import TpeTuner
from nni.mutable import Categorical, MutableDict, Numerical
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import ExecutableModelSpace, ModelStatus
from nni.nas.strategy import RegularizedEvolution

Measure = Callable[[list[float]], float]

INITIAL = 10  # draws before the model, the same number as Optuna's TPE; NNI's default is 20
POPULATION, SAMPLE = 10, 3  # NNI's defaults, 100 and 25, exceed the trials of a benchmark


def tpe(parameters: list[dict[str, Any]], seed: int, measure: Measure) -> None:
    """Run the TPE tuner."""
    tuner = TpeTuner("maximize", seed=seed, tpe_args={"n_startup_jobs": INITIAL})
    tuner.update_search_space({f"p{i}": field(one) for i, one in enumerate(parameters)})
    number = 0
    while True:
        asked = tuner.generate_parameters(number)
        tuner.receive_trial_result(number, asked, measure([asked[f"p{i}"] for i in range(len(parameters))]))
        tuner.trial_end(number, True)
        number += 1


def field(one: dict[str, Any]) -> dict[str, Any]:
    if "choices" in one:
        return {"_type": "choice", "_value": list(range(one["choices"]))}
    return {"_type": "loguniform" if one["log"] else "uniform", "_value": [one["low"], one["high"]]}


def evolution(parameters: list[dict[str, Any]], seed: int, measure: Measure) -> None:
    """Run regularised evolution of nni.nas; a mutation draws one parameter anew on average."""
    places = MutableDict({f"p{i}": mutable(f"p{i}", one) for i, one in enumerate(parameters)})
    strategy = RegularizedEvolution(
        population_size=POPULATION, sample_size=SAMPLE, mutation_prob=1 / len(parameters), seed=seed
    )
    strategy(Model(places, measure), SequentialExecutionEngine())


def mutable(name: str, one: dict[str, Any]) -> Any:
    if "choices" in one:
        return Categorical(list(range(one["choices"])), label=name)
    return Numerical(one["low"], one["high"], log_distributed=one["log"], label=name)


class Model(ExecutableModelSpace):
    """A model space that holds only its parameters; its models are trained elsewhere."""

    def __init__(self, places: Any, measure: Measure, sample: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.places, self.measure, self.sample = places, measure, sample

    def leaf_mutables(self, is_leaf: Any) -> Any:
        return self.places.leaf_mutables(is_leaf)

    def check_contains(self, sample: dict[str, Any]) -> Any:
        return self.places.check_contains(sample)

    def freeze(self, sample: dict[str, Any]) -> Model:
        self.validate(sample)
        model = Model(self.places, self.measure, sample)
        model.status = ModelStatus.Frozen
        return model

    def execute(self) -> None:
        assert self.sample is not None
        nni.report_final_result(self.measure([self.sample[f"p{i}"] for i in range(len(self.sample))]))


SEARCHERS = {"nni-tpe": tpe, "nni-evolution": evolution}


def main() -> None:
    given = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output that libraries print must not mix with the answers
    random.seed(given["seed"])
    np.random.seed(given["seed"])
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
    main()
