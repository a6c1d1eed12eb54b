"""What is stored of a study: Optuna's database, trial records, files of trials, locks."""
