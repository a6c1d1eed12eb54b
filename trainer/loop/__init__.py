"""`fit` and its parts: step, optimizer, schedule, evaluation, checkpoint."""
