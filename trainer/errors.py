"""Errors of data and modules that a user provides."""


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence with the place, the fault and the remedy."""


class ModuleError(ValueError):
    """A module whose output does not fit the data; the message is one sentence."""
