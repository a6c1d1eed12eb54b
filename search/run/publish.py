"""The artifacts of a study: opened when it begins to run, and given what this machine alone has."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from search.run.ownership import SETTLE_SECONDS
from search.storage.artifacts import ARTIFACTS_ATTR, ArtifactError, Artifacts
from search.storage.place import Place
from search.storage.study import Store
from trainer import files

PROBE_FILE = "study.json"


def with_artifacts(store: Store, url: str | None) -> Store:
    """Return a study's store with the artifacts below a URL, of which a file is written and read back.

    The study has a folder of its own there, since another study of its name may use the same URL. Raises ArtifactError.
    """
    if url is None:
        return store
    if url.startswith("file://") and not Path(url.removeprefix("file://")).is_dir():
        raise ArtifactError(f"artifacts {url} is no folder; make it, or mount it")
    artifacts = Artifacts(_folder(store, url), str(store.folder))
    content = files.sealed({"study": store.name})
    artifacts.write(PROBE_FILE, content)
    if artifacts.read(PROBE_FILE) != content:
        raise ArtifactError(
            f"artifacts {artifacts.url} does not give back what was written; name another place"
        )
    return replace(store, artifacts=artifacts)


def _folder(store: Store, url: str) -> str:
    """Return the URL of the study's folder, which is stored with the study; all coordinators have the same."""
    known = str(store.study.user_attrs.get(ARTIFACTS_ATTR, ""))
    if known.rpartition("/")[0] == url:
        return known
    folder = known.rpartition("/")[2] or f"{store.name}-{secrets.token_hex(4)}"
    store.study.set_user_attr(ARTIFACTS_ATTR, f"{url}/{folder}")
    if store.shared:
        time.sleep(SETTLE_SECONDS)  # the last of several coordinators decides
    return str(store.study.user_attrs[ARTIFACTS_ATTR])


def publish_missing(store: Store) -> None:
    """Copy to the artifacts what the folder of the study has and they have not. Raises ArtifactError."""
    for place in _places(store) if store.artifacts else ():
        if place.has_report() and not place.is_published():
            place.publish()


def _places(store: Store) -> Iterator[Place]:
    for record in store.records():
        yield store.place(record.number)
        for seed in record.finale.seeds if record.finale else ():
            yield store.place(record.number, seed)
