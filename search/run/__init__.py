"""One run of a study: coordinator, budget, rungs, recovery, the finale."""
