"""The one error of this room: a sentence for a person, complete as it stands."""


class StudyError(ValueError):
    """A study that cannot be read, opened, gone on with or exported; the message is the whole sentence."""
