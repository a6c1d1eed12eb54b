"""The verb data: images as they are understood, before a search is spent on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import AsJson, DataRoot, Read, Size
from search.cli.output import print_json


def data(
    images: Annotated[
        str,
        typer.Argument(
            metavar="IMAGES",
            help="A folder or file of images, the name of a data set, or a study's YAML file.",
        ),
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Write a picture of up to sixteen train images of each class."),
    ] = None,
    size: Size = None,
    read: Read = None,
    as_json: AsJson = False,
    data_root: DataRoot = None,
) -> None:
    """Show what is understood of images: layout, splits, classes, pixels, what is left out and what is doubtful."""
    from search.config.dataset import Dataset, said_of_images
    from search.config.read import read_begun
    from search.errors import StudyError
    from trainer import files
    from trainer.data import describe
    from trainer.data import sheet as sheets

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise StudyError(f"--sheet is {sheet}; it ends in .png")
    is_study = Path(images).suffix.lower() in (".yaml", ".yml")
    if is_study and (size or read):
        raise StudyError(f"--size and --read say how images are read; in {images} they stand under data")
    own = Dataset(images, data_root, said_of_images(size, read or ()))
    found = (read_begun(images, data_root).data if is_study else own).load()
    if as_json:
        print_json(describe.to_json(found))
    else:
        typer.echo("\n".join(describe.lines(found)))
    if sheet is not None:
        files.write(sheet, sheets.sheet(found))
        typer.echo(f"{sheet} shows {sheets.shown(found)}", err=as_json)
