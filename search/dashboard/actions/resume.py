"""Resuming a study: the search runs as a process of its own, which outlives the dashboard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from genome.yaml.source import SourceError
from search.config.read import read_study
from search.dashboard.studies.snapshot import Snapshot
from search.errors import StudyError
from search.run.launch import Launch
from trainer.system.folders import open_regular
from trainer.system.processes import detached, typed

LOG_FILE = "search.log"  # in the study's folder: the output of a search that the dashboard started
MOST_BYTES = 10_000_000  # of a study file
TAIL_BYTES, LONGEST_LINE = 4000, 300  # of the log that are read, of a line that is shown


class SearchProcesses:
    """The searches that this dashboard has started."""

    def __init__(self, runs: Path, url: str | None) -> None:
        self.runs, self.url = runs, url
        self._started: dict[str, subprocess.Popen[bytes]] = {}  # by name of the study

    def of(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return whether the dashboard can resume a study, the command to type, and the error of the last attempt."""
        begun = snapshot.attrs.begun
        return {
            "possible": snapshot.state.word == "stopped" and self._hindrance(snapshot) is None,
            "command": self._typed(begun),
            "starting": self._is_alive(snapshot.name) and not snapshot.is_running,
            "complaint": self._complaint(snapshot),
        }

    def begin(self, snapshot: Snapshot) -> None:
        """Resume a study. Raises StudyError with one sentence where that is impossible."""
        if snapshot.is_running or self._is_alive(snapshot.name):
            raise StudyError(f"study {snapshot.name} is running already")
        if snapshot.state.word == "finished":
            raise StudyError(
                f"study {snapshot.name} is finished: {snapshot.state.why}; raise the limit in its study file first"
            )
        if hindrance := self._hindrance(snapshot):
            raise StudyError(f"{hindrance}; type `{self._typed(snapshot.attrs.begun)}` there")
        begun, folder = snapshot.attrs.begun, snapshot.folder
        assert begun is not None and folder is not None
        self._check_file(begun, snapshot.name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_FILE).open("wb") as log:
            self._started[snapshot.name] = subprocess.Popen(
                [sys.executable, "-m", "search", *self._words(begun), "--plain"],
                cwd=begun.folder,
                env={**os.environ, "PYTHONPATH": _python_path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **detached(),
            )

    def _hindrance(self, snapshot: Snapshot) -> str | None:
        """Why the dashboard cannot resume a study, as the beginning of a sentence; None where it can."""
        begun = snapshot.attrs.begun
        if begun is None:
            return f"study {snapshot.name} has no record of its study file"
        if snapshot.folder is None:
            return f"study {snapshot.name} has no folder here"
        return None if begun.is_here else f"{begun.file} is on another machine, or no longer exists"

    def _check_file(self, begun: Launch, name: str) -> None:
        if Path(begun.file).stat().st_size > MOST_BYTES:
            raise StudyError(f"{begun.file} is too large for a study file")
        try:
            file = read_study(begun.file, begun.data_root, is_begun=True)
        except (StudyError, SourceError) as error:
            raise StudyError(f"the study file cannot be used: {' '.join(str(error).split())}") from None
        if file.name != name or file.storage != self.url:
            raise StudyError(f"{begun.file} no longer describes the study {name} that this page shows")

    def _words(self, begun: Launch) -> list[str]:
        root = ["--data-root", begun.data_root] if begun.data_root else []
        return ["search", begun.file, "--runs", str(self.runs.absolute()), *root]

    def _typed(self, begun: Launch | None) -> str:
        if begun is None:
            return typed(["genome", "search", "STUDY.yaml", "--runs", str(self.runs)])
        return typed(["genome", *self._words(begun)])

    def _is_alive(self, name: str) -> bool:
        return name in self._started and self._started[name].poll() is None

    def _complaint(self, snapshot: Snapshot) -> str | None:
        """The status and the last line of a search that the dashboard started and that ended with an error."""
        status = self._started[snapshot.name].poll() if snapshot.name in self._started else None
        if status in (None, 0, 130) or snapshot.is_running or snapshot.folder is None:
            return None
        line = next(reversed(log_lines(snapshot.folder)), "")
        return f"the search started from this page ended with status {status}{': ' + line if line else ''}"


def log_lines(folder: Path) -> list[str]:
    """Return the last lines of a search that the dashboard started, the newest last; none where it started none."""
    try:
        with open_regular(folder, (LOG_FILE,)) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.split("\n")[1 if size > TAIL_BYTES else 0 :]  # the first may have lost its beginning
    return [line.strip()[:LONGEST_LINE] for line in lines if line.strip()]


def _python_path() -> str:
    """A PYTHONPATH with which a process in any folder imports the same code as this process."""
    here = str(Path(__file__).parents[3])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([here, *(str(Path(path).absolute()) for path in given if path)])
