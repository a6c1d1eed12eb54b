"""The arguments and options that several verbs of the command share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
INTERRUPTED = 130  # exit status of a command that Ctrl-C stopped

Runs = Annotated[Path, typer.Option(help="Folder of studies; each study has a folder of its name in it.")]
DataRoot = Annotated[
    str | None, typer.Option(help="Folder of the named data sets.", envvar="GENOME_DATA", show_default=False)
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Size in pixels to which own pictures are resized: 32, 24x32 (height, width) or auto.",
    ),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="KEY=VALUE",
        help="How own images are read: a key of a study's data, such as alpha=white.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsPlain = Annotated[bool, typer.Option("--plain", help="Print plain lines, even on a terminal.")]
Network = Annotated[str, typer.Argument(metavar="REF", help="The folder of an export, or STUDY#TRIAL.")]
ItsData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Name of a data set, a folder or an .npz file (default: the network's).",
    ),
]
Ref = Annotated[str, typer.Argument(metavar="REF", help="A YAML file, zoo:NAME, or STUDY#TRIAL.")]
Grace = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long trials may take to write their checkpoints after a stop, such as 20s.  [default: 2s]",
        show_default=False,
    ),
]
