"""Optuna's database, trial records, locks: everything of a study that is stored."""
