"""What can be wrong with data and modules that come from outside."""


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence that says where, what and how to mend it."""


class ModuleError(ValueError):
    """A module whose output does not fit the data; the message is one sentence."""
