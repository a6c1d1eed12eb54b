"""The errors of reading studies."""

from __future__ import annotations


class NotFound(LookupError):
    """There is no study, trial, file or page of this name; the message is one sentence."""


class NoStudy(NotFound):
    """There is no study of this name yet; it may still begin."""


class StillReading(Exception):
    """A study is read for the first time, and reading takes longer than the caller waits."""
