"""Formats: an exported network in files that other runtimes run, each checked in a fresh process before it is kept."""

from search.results.formats.check import CLOSE, checked_file, eager_milliseconds
from search.results.formats.convert import file_of
from search.results.formats.format import Format, Refused
from search.results.formats.registry import FORMATS, chosen
from search.results.formats.written import FORMATS_KEY, IMAGES, written

__all__ = [
    "CLOSE",
    "FORMATS",
    "FORMATS_KEY",
    "IMAGES",
    "Format",
    "Refused",
    "checked_file",
    "chosen",
    "eager_milliseconds",
    "file_of",
    "written",
]
