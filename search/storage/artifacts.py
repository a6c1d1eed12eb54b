"""Artifacts: a folder that every machine reaches, in a bucket (s3, gs) or on a shared file system (file).

Every write is whole or not at all: one PUT, or a temporary file that is renamed. A server that is gone for a while is
waited for; every failure is one sentence, which repeats nothing that a server or a library says of credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from search.errors import StudyError
from trainer import files

ARTIFACTS_ATTR = "genome_artifacts"  # attribute of a study: the URL of their folder
PATIENCE_SECONDS = 30.0  # that a server is waited for
PAUSE_SECONDS = 0.5  # before the second attempt; each further pause is twice as long
CONNECT_SECONDS, READ_SECONDS = 5, 30  # in which a server of S3 must answer

T = TypeVar("T")


class ArtifactError(StudyError):
    """Artifacts that cannot be read or written; the message is one sentence."""


class Scheme(NamedTuple):
    """A kind of place."""

    module: str | None = None  # that it needs
    extra: str = ""  # of this package, which brings the module
    credentials: str = "its owner"  # where they come from
    options: Mapping[str, Any] = MappingProxyType({})


S3_CONFIG = {
    "connect_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
    "retries": {"max_attempts": 1},  # the patience is ours
}
SCHEMES = {
    "s3": Scheme(
        "s3fs",
        "s3",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
        {"config_kwargs": S3_CONFIG, "use_listings_cache": False},
    ),
    "gs": Scheme(
        "gcsfs", "gcs", "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth`", {"use_listings_cache": False}
    ),
    "file": Scheme(credentials="the rights of its folders", options={"auto_mkdir": False}),
}
LACKING = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "DefaultCredentialsError")


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one study."""

    url: str  # of their folder, such as s3://bucket/prefix/mine-1a2b3c4d
    root: str  # the study's folder on this machine

    def key(self, folder: Path) -> str:
        """Return the name of a folder of the study among the artifacts, such as trials/12."""
        return folder.relative_to(self.root).as_posix()

    def write(self, name: str, content: bytes, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Write one file. Raises ArtifactError."""
        place = f"{self.url}/{name}"

        def put(system: Any) -> None:
            if place.startswith("file:"):
                files.write(Path(place.removeprefix("file://")), content)
            else:
                system.pipe_file(place, content)

        self._patiently("written", put, patience_seconds, is_missing_wrong=True)

    def read(self, name: str, patience_seconds: float = PATIENCE_SECONDS) -> bytes | None:
        """Return the content of a file, None where there is none. Raises ArtifactError."""
        return self._patiently(
            "read", lambda system: bytes(system.cat_file(f"{self.url}/{name}")), patience_seconds
        )

    def names(self, folder: str, patience_seconds: float = PATIENCE_SECONDS) -> list[str]:
        """Return the names of the files directly in a folder. Raises ArtifactError."""

        def listed(system: Any) -> list[str]:
            return [str(path).rpartition("/")[2] for path in system.ls(f"{self.url}/{folder}", detail=False)]

        return self._patiently("read", listed, patience_seconds) or []

    def remove(self, names: Iterable[str], patience_seconds: float = 0.0) -> None:
        """Delete files that exist. Raises ArtifactError."""
        for name in names:
            place = f"{self.url}/{name}"

            def delete(system: Any, place: str = place) -> None:
                system.rm_file(place)

            self._patiently("changed", delete, patience_seconds)

    def connect(self) -> None:
        """Load what a first access loads, which takes memory; a failure shows at the next access."""
        with suppress(ArtifactError):
            self._patiently("read", lambda system: None, 0.0)

    def _patiently(
        self, done: str, act: Callable[[Any], T], patience_seconds: float, is_missing_wrong: bool = False
    ) -> T | None:
        """Act, and again after each failure that may pass; None where the file is missing, unless that is wrong."""
        until, pause = time.monotonic() + patience_seconds, PAUSE_SECONDS
        while True:
            try:
                return act(file_system(self.url))
            except FileNotFoundError as error:
                if not is_missing_wrong:
                    return None
                raise ArtifactError(self._told(done, error)) from None
            except StudyError:
                raise
            except Exception as error:  # of any library of any server
                if _is_final(error) or time.monotonic() + pause > until:
                    raise ArtifactError(self._told(done, error)) from None
            time.sleep(pause)
            pause *= 2

    def _told(self, done: str, error: Exception) -> str:
        """Say what cannot be done, why and the mend; never with the text of the error, which may hold credentials."""
        place, scheme = f"artifacts {self.url} cannot be {done}", scheme_of(self.url)
        if type(error).__name__ in LACKING:
            return f"{place}: there are no credentials; give them by {scheme.credentials}"
        if isinstance(error, PermissionError):
            return f"{place}: no permission; check {scheme.credentials}, and what they may do there"
        if isinstance(error, FileNotFoundError):
            return f"{place}: there is no such bucket or folder; make it, or correct the URL"
        why = (
            error.strerror if isinstance(error, OSError) and error.strerror and scheme.module is None else ""
        )
        return f"{place} ({why or type(error).__name__}); see that its server runs and is reached, then run it again"


def _is_final(error: Exception) -> bool:
    """Whether another attempt would fail likewise."""
    return isinstance(error, PermissionError | NotADirectoryError) or type(error).__name__ in LACKING


def scheme_of(url: str) -> Scheme:
    """Return the kind of place that a URL names; the key `artifacts` of a study was checked."""
    return SCHEMES[url.partition(":")[0]]


@cache
def file_system(url: str) -> Any:
    """Return the file system of a URL, once for each process. Raises ArtifactError where its package is missing."""
    name, scheme = url.partition(":")[0], scheme_of(url)
    if scheme.module and find_spec(scheme.module) is None:
        raise ArtifactError(
            f"artifacts {url} needs {scheme.module}; install it with `pip install 'genome-nas[{scheme.extra}]'`"
        )
    import fsspec

    system = fsspec.filesystem(name, **scheme.options)
    if name == "s3":
        system.retries = 1  # the patience is ours
        system.connect()
    return system
