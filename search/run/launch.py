"""The launch of the last run of a study, which is stored with the study so that the dashboard can resume it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.config.study import StudyConfig
from search.storage.study import Store

LAUNCH = "begun_from"  # attribute of a study


class Launch(NamedTuple):
    """How a run was launched."""

    # absolute path of the study file
    file: str
    # working directory, to which relative paths in the study file refer
    folder: str
    # of named data sets
    data_root: str | None
    # name of the machine
    host: str

    @staticmethod
    def of_attrs(attrs: Mapping[str, Any]) -> Launch | None:
        """Read the attributes of a study; None where no launch is stored, or one in the format of another version."""
        stored = attrs.get(LAUNCH)
        if not isinstance(stored, Mapping) or set(stored) != set(Launch._fields):
            return None
        texts = [stored[name] for name in ("file", "folder", "host")]
        if not all(isinstance(text, str) for text in texts):
            return None
        return Launch(**stored) if isinstance(stored["data_root"], str | None) else None

    @property
    def is_here(self) -> bool:
        """Whether the launch was on this machine, and its study file and folder still exist."""
        return self.host == socket.gethostname() and Path(self.file).is_file() and Path(self.folder).is_dir()


def store_launch(store: Store, config: StudyConfig) -> None:
    """Store the launch of the present run; a study that was read from no file stores none."""
    path = Path(config.source.path)
    if not path.is_file():
        return
    root = config.data.root
    launch = Launch(
        str(path.absolute()), str(Path.cwd()), root and str(Path(root).absolute()), socket.gethostname()
    )
    if store.study.user_attrs.get(LAUNCH) != launch._asdict():
        store.study.set_user_attr(LAUNCH, launch._asdict())
