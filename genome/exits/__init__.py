"""Networks that stop early: the segments between exits, the rules of leaving, and their thresholds."""
