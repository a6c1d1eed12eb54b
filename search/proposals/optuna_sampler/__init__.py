"""Our samplers as plain samplers of Optuna, for any objective that decodes its genome from the trial.

space = search.load_space("space.yaml")
study = optuna.create_study(direction="maximize", sampler=GenomeSampler(space, "evolve", seed=0))
study.optimize(lambda trial: score(space.decode(search.asker(trial))), n_trials=100)
"""

from search.proposals.optuna_sampler.sampler import GenomeSampler

__all__ = ["GenomeSampler"]
