"""What the verbs share that work on a study: the progress on the terminal, the last lines, the exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from search.cli.options import INTERRUPTED, RUNS

if TYPE_CHECKING:
    from search.objective import Objective
    from search.run.progress import Progress
    from search.study import Result


def run_shown(run: Callable[[Progress], Result], plain: bool) -> Result:
    """Run a study with its progress and its log on the terminal."""
    from search.cli.live import Rich
    from search.cli.log import log_to_terminal
    from search.cli.progress import Plain

    live = sys.stdout.isatty() and not plain
    with log_to_terminal():
        return run(Rich() if live else Plain())


def finish(result: Result, objectives: Sequence[Objective], command: Sequence[str], runs: Path) -> None:
    """Print what came out, and exit with 130 where a signal ended the run. command: words that resume it."""
    from search.cli.tables import result_text
    from trainer.system.processes import typed

    again = typed([*command, *(["--runs", str(runs)] if runs != RUNS else [])])
    typer.echo(result_text(result, objectives, again))
    if result.is_interrupted:
        raise typer.Exit(INTERRUPTED)
