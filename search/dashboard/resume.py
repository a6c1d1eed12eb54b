"""Going on with a study: its search as a process of its own, that outlives the dashboard."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from genome.source import SourceError
from search.config.read import read_study
from search.dashboard.snapshot import Snapshot
from search.errors import StudyError
from search.run.launch import Begun

LOG_FILE = "search.log"  # in the study's folder: what the search said that was begun from here
MOST_BYTES = 10_000_000  # of a study file
TAIL_BYTES, LONGEST_LINE = 4000, 300


class Searches:
    """The searches that this dashboard began, by study."""

    def __init__(self, runs: Path, url: str | None) -> None:
        self.runs, self.url = runs, url
        self._begun: dict[str, subprocess.Popen[bytes]] = {}

    def of(self, shown: Snapshot) -> dict[str, Any]:
        """Return how a study can be gone on with: whether from here, and the command to type."""
        begun = shown.hands.begun
        return {
            "possible": shown.state.word == "stopped" and self._hindrance(shown) is None,
            "command": self._typed(begun),
            "starting": self._is_alive(shown.name) and not shown.is_running,
            "complaint": self._complaint(shown),
        }

    def begin(self, shown: Snapshot) -> None:
        """Go on with a study. Raises StudyError where that is not possible, one sentence."""
        if shown.is_running or self._is_alive(shown.name):
            raise StudyError(f"study {shown.name} is being run already")
        if shown.state.word == "finished":
            raise StudyError(
                f"study {shown.name} is finished: {shown.state.why}; give it more in its file first"
            )
        if hindrance := self._hindrance(shown):
            raise StudyError(f"{hindrance}; type `{self._typed(shown.hands.begun)}` there")
        begun, folder = shown.hands.begun, shown.folder
        assert begun is not None and folder is not None
        self._check_file(begun, shown.name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_FILE).open("wb") as log:
            self._begun[shown.name] = subprocess.Popen(
                [sys.executable, "-m", "search", *self._words(begun), "--plain"],
                cwd=begun.folder,
                env={**os.environ, "PYTHONPATH": _python_path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _hindrance(self, shown: Snapshot) -> str | None:
        """Why it cannot be gone on with from here, as the beginning of a sentence; None where it can."""
        begun = shown.hands.begun
        if begun is None:
            return f"study {shown.name} does not say from which file it was begun"
        if shown.folder is None:
            return f"study {shown.name} has no folder here"
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

    def _complaint(self, shown: Snapshot) -> str | None:
        """The last line of a search that was begun from here and ended by an error."""
        status = self._begun[shown.name].poll() if shown.name in self._begun else None
        if status in (None, 0, 130) or shown.is_running or shown.folder is None:
            return None
        said = _tail(shown.folder / LOG_FILE)
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
    here = str(Path(__file__).parents[2])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([here, *(str(Path(path).absolute()) for path in given if path)])
