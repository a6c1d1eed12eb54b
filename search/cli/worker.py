"""`genome worker`: one more process that works on a shared study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import RUNS, AsPlain, DataRoot, Grace, Runs


def worker(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file, with its `storage`.")],
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Trials at the same time.  [default: what the study says]",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="auto, cpu, cuda or cuda:N.  [default: what the study says]", show_default=False),
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Wait so long for the study to be begun, such as 5m.", show_default=False
        ),
    ] = None,
    grace: Grace = None,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
    plain: AsPlain = False,
) -> None:
    """Work on a study that `genome search` has begun, from any machine that reaches its storage, until it ends.

    The process trains trials of its own and takes over those of dead processes. It begins no study.
    """
    from search.cli.running import finish, run_shown
    from search.config.checks import device as known_device
    from search.config.engine import EngineSetting
    from search.errors import StudyError
    from search.study import Study
    from trainer import parse_seconds

    loaded = Study.load(study, runs, data_root, grace)
    try:
        here = replace(
            loaded.config,
            workers=workers or loaded.config.workers,
            device=known_device(device) if device else loaded.config.device,
            engine=EngineSetting(),  # the workers are here, also where those of `genome search` are on a cluster
        )
    except ValueError as error:
        raise StudyError(f"--device {error}") from None
    joining = replace(loaded, config=here)
    seconds = parse_seconds(wait, "--wait") if wait else 0.0
    result = run_shown(lambda progress: joining.join(progress, seconds), plain)
    finish(result, here.objectives, ["genome", "worker", str(study)], runs)
