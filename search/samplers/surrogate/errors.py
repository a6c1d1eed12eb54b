"""What goes wrong with a model."""


class FitError(Exception):
    """A Gaussian process that cannot be fitted; one sentence says why."""
