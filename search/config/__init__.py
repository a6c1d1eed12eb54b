"""The study file as one frozen value, and what it names: data, candidates, the finale."""
