"""How the last run of a study was begun, which is kept with it: so it can be begun again from elsewhere."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.config.study import StudyConfig
from search.storage.store import Store

LAUNCH = "begun_from"  # attribute of a study


class Launch(NamedTuple):
    """The study file, the folder from which relative paths in it count, the folder of named data sets, the machine."""

    file: str
    folder: str
    data_root: str | None
    host: str

    @staticmethod
    def of_attrs(attrs: Mapping[str, Any]) -> Launch | None:
        """Read a study's attributes; None where it does not say, or not as this version does."""
        kept = attrs.get(LAUNCH)
        if not isinstance(kept, Mapping) or set(kept) != set(Launch._fields):
            return None
        texts = [kept[name] for name in ("file", "folder", "host")]
        if not all(isinstance(text, str) for text in texts):
            return None
        return Launch(**kept) if isinstance(kept["data_root"], str | None) else None

    @property
    def is_here(self) -> bool:
        """Whether it was on this machine, and its study file is still there."""
        return self.host == socket.gethostname() and Path(self.file).is_file() and Path(self.folder).is_dir()


def store_launch(store: Store, file: StudyConfig) -> None:
    """Keep with a study how it is being run; one that was read from no file says nothing."""
    path = Path(file.source.path)
    if not path.is_file():
        return
    root = file.data.root
    now = Launch(
        str(path.absolute()), str(Path.cwd()), root and str(Path(root).absolute()), socket.gethostname()
    )
    if store.study.user_attrs.get(LAUNCH) != now._asdict():
        store.study.set_user_attr(LAUNCH, now._asdict())
