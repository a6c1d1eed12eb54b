#!/usr/bin/env bash
# One finished trial without parameters, such as a baseline that was added with its score alone, ends the search of
# Optuna's samplers that propose all parameters together: their search space is the intersection over all finished
# trials, which is then empty for the rest of the study. NSGA-II and CMA-ES draw every parameter at
# random from there on, and multivariate TPE falls back to one parameter at a time. NSGA-II and TPE log nothing; CMA-ES
# warns at each trial of a dynamic search space, which there is none. One would expect such a trial to be left out, as
# TPE of single parameters does.
# Source: optuna/search_space/intersection.py; seen with optuna 5.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check optuna==5.0.0 cmaes==0.12.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
BOTH = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}


def cost(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + (y - 0.3) ** 2


def searched(make, has_baseline: bool) -> tuple[list[str], float]:
    """Return the parameters that are proposed together, and the median cost of the last 50 of 200 trials."""
    study = optuna.create_study(sampler=make())
    if has_baseline:
        study.add_trial(create_trial(value=1.0))
    study.optimize(lambda trial: cost(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)), n_trials=200)
    trial = study.ask()
    frozen = study.get_trials(deepcopy=False)[trial.number]
    last = sorted(one.value for one in study.trials[150:200] if one.value is not None)
    return sorted(study.sampler.infer_relative_search_space(study, frozen)), last[len(last) // 2]


print(f"optuna {optuna.__version__}: parameters proposed together, median cost of the last 50 of 200 trials")
for name, make in {
    "CMA-ES": lambda: optuna.samplers.CmaEsSampler(seed=0),
    "NSGA-II": lambda: optuna.samplers.NSGAIISampler(seed=0, population_size=20),
    "multivariate TPE": lambda: optuna.samplers.TPESampler(seed=0, multivariate=True),
}.items():
    (before, found), (after, lost) = searched(make, False), searched(make, True)
    print(f"{name}: {before}, {found:.2g}; with a trial without parameters: {after}, {lost:.2g}")
    assert before == ["x", "y"] and after == [], (name, before, after)
    assert name == "multivariate TPE" or lost > 5 * found, (name, found, lost)
PYTHON
