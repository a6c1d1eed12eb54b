"""Going on with a study: its search as a process of its own, that outlives the dashboard."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from genome.source import SourceError
from search.config.study import read_study
from search.dashboard.studies.snapshot import Snapshot
from search.errors import StudyError
from search.run.launch import Begun

LOG_FILE = "search.log"  # in the study's folder: what the search said that was begun from here
MOST_BYTES = 10_000_000  # of a study file
TAIL_BYTES, LONGEST_LINE = 4000, 300


class SearchProcesses:
    """The searches that this dashboard began, by study."""

    def __init__(self, runs: Path, url: str | None) -> None:
        self.runs, self.url = runs, url
        self._begun: dict[str, subprocess.Popen[bytes]] = {}

    def of(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return how a study can be gone on with: whether from here, and the command to type."""
        begun = snapshot.attrs.begun
        return {
            "possible": snapshot.state.word == "stopped" and self._hindrance(snapshot) is None,
            "command": self._typed(begun),
            "starting": self._is_alive(snapshot.name) and not snapshot.is_running,
            "complaint": self._complaint(snapshot),
        }

    def begin(self, snapshot: Snapshot) -> None:
        """Go on with a study. Raises StudyError where that is not possible, one sentence."""
        if snapshot.is_running or self._is_alive(snapshot.name):
            raise StudyError(f"study {snapshot.name} is being run already")
        if snapshot.state.word == "finished":
            raise StudyError(
                f"study {snapshot.name} is finished: {snapshot.state.why}; give it more in its file first"
            )
        if hindrance := self._hindrance(snapshot):
            raise StudyError(f"{hindrance}; type `{self._typed(snapshot.attrs.begun)}` there")
        begun, folder = snapshot.attrs.begun, snapshot.folder
        assert begun is not None and folder is not None
        self._check_file(begun, snapshot.name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_FILE).open("wb") as log:
            self._begun[snapshot.name] = subprocess.Popen(
                [sys.executable, "-m", "search", *self._words(begun), "--plain"],
                cwd=begun.folder,
                env={**os.environ, "PYTHONPATH": _python_path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _hindrance(self, snapshot: Snapshot) -> str | None:
        """Why it cannot be gone on with from here, as the beginning of a sentence; None where it can."""
        begun = snapshot.attrs.begun
        if begun is None:
            return f"study {snapshot.name} does not say from which file it was begun"
        if snapshot.folder is None:
            return f"study {snapshot.name} has no folder here"
        return None if begun.is_here else f"{begun.file} is not on this machine, or not there any more"

    def _check_file(self, begun: Begun, name: str) -> None:
        if Path(begun.file).stat().st_size > MOST_BYTES:
            raise StudyError(f"{begun.file} is too long for a study file")
        try:
            file = read_study(begun.file, begun.data_root, is_begun=True)
        except (StudyError, SourceError) as error:
            raise StudyError(f"the study file cannot be used: {' '.join(str(error).split())}") from None
        if file.name != name or file.storage != self.url:
            raise StudyError(f"{begun.file} is no longer the file of the study {name} that is shown here")

    def _words(self, begun: Begun) -> list[str]:
        root = ["--data-root", begun.data_root] if begun.data_root else []
        return ["search", begun.file, "--runs", str(self.runs.absolute()), *root]

    def _typed(self, begun: Begun | None) -> str:
        if begun is None:
            return f"genome search STUDY.yaml --runs {shlex.quote(str(self.runs))}"
        return shlex.join(["genome", *self._words(begun)])

    def _is_alive(self, name: str) -> bool:
        return name in self._begun and self._begun[name].poll() is None

    def _complaint(self, snapshot: Snapshot) -> str | None:
        """The last line of a search that was begun from here and ended by an error."""
        status = self._begun[snapshot.name].poll() if snapshot.name in self._begun else None
        if status in (None, 0, 130) or snapshot.is_running or snapshot.folder is None:
            return None
        said = _tail(snapshot.folder / LOG_FILE)
        return f"the search that was begun here ended with status {status}{': ' + said if said else ''}"


def _tail(log: Path) -> str:
    """The last line of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:LONGEST_LINE] for line in reversed(lines) if line.strip()), "")


def _python_path() -> str:
    """The path on which the search is found as it is here, wherever it is begun."""
    here = str(Path(__file__).parents[3])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([here, *(str(Path(path).absolute()) for path in given if path)])
