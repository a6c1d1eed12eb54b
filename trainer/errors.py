"""Errors of data and modules that a user provides."""


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence with the place, the fault and the remedy."""


class OpenQuestion(DataError):
    """Data that can be read in two ways; the message says what was found, and what may be said."""

    def __init__(self, found: str, answers: str) -> None:
        super().__init__(f"{found}; {answers}")
        self.found, self._answers = found, answers

    def __reduce__(self) -> tuple[type["OpenQuestion"], tuple[str, str]]:
        """Let it come from another process."""
        return type(self), (self.found, self._answers)


class ModuleError(ValueError):
    """A module whose output does not fit the data; the message is one sentence."""
