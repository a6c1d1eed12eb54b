"""The verb init: a first study of a user's images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import DataRoot, Read, Size
from search.cli.output import remark


def init(
    images: Annotated[
        str,
        typer.Argument(
            metavar="IMAGES",
            help="A folder with one subfolder per class, another layout of docs/data.md, or the name of a data set.",
        ),
    ],
    budget: Annotated[str, typer.Option(help="Device time of the search, such as 10m or 2h.")] = "10m",
    params: Annotated[str | None, typer.Option(help="Largest number of parameters, such as 150k.")] = None,
    macs: Annotated[
        str | None, typer.Option(help="Largest number of multiply-adds for one image, such as 4M.")
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(help="Longest time of a forward pass of one image on this device, such as 2ms."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="The search space: stages, classic, unusual or tiny.")
    ] = "stages",
    full: Annotated[
        bool, typer.Option("--full", help="Write the nodes of the space, to be edited, in place of its name.")
    ] = False,
    size: Size = None,
    read: Read = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The new file (default: NAME.yaml in this folder).")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Look at images and at this device, and write a study file that suits both."""
    from search.config.dataset import said_of_images
    from search.config.init.study_file import fitting, limited, measured, seen, warnings
    from search.config.init.wishes import wishes
    from search.config.init.write import write
    from trainer.system.processes import typed

    said = said_of_images(size, read or ())
    file, found = write(images, wishes(budget, params, macs, latency, preset), to, said, data_root, full)
    for line in (seen(found.images), measured(found.device), limited(found), fitting(found)):
        typer.echo(line)
    for line in warnings(found):
        remark(f"note: {line}")
    elsewhere = data_root if data_root != os.environ.get("GENOME_DATA") else None
    command = ["genome", "search", str(file), *(["--data-root", elsewhere] if elsewhere else [])]
    typer.echo(f"\n{file} is written; start the search with\n\n  {typed(command)}")
