"""The verb `exits`: thresholds at which a network's images leave early."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import RUNS, AsJson, DataRoot, ItsData, Network, Read, Runs, Size
from search.cli.output import print_json


def exits(
    ref: Network,
    data: ItsData = None,
    drop: Annotated[
        str | None,
        typer.Option(metavar="POINTS%", help="At most so far below the last exit alone.  [default: 0.5%]"),
    ] = None,
    macs: Annotated[
        str | None,
        typer.Option(metavar="PARTx|COUNT", help="At most so many multiply-adds in the mean: 0.4x, 1.2M."),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="At most so much time for an image alone on this CPU: 2ms."),
    ] = None,
    rule: Annotated[str, typer.Option(help="entropy, confidence, margin, percent or patience.")] = "entropy",
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the curve as a picture.")] = None,
    onnx: Annotated[
        bool,
        typer.Option(
            "--onnx", help="Write ONNX files that stop into the export: one with If nodes, one an exit."
        ),
    ] = False,
    size: Size = None,
    read: Read = None,
    as_json: AsJson = False,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Find thresholds at which images leave a network early, by its validation images; export or trial keep them."""
    from search.cli.exits_table import exits_text, kept_text
    from search.cli.log import log_to_terminal
    from search.config.dataset import said_of_images
    from search.errors import StudyError
    from search.results.exits.checked import onnx_files
    from search.results.exits.file import CURVE_FILE
    from search.results.exits.picture import picture
    from search.results.exits.solved import find, to_json
    from search.results.exits.target import checked_rule, wanted
    from search.results.exits.write import write_beside, write_exits
    from search.results.trained import images_of, trained
    from trainer import files

    checked_rule(rule)
    wanted(drop, macs, latency)  # before anything is read
    one = trained(ref, runs, data_root)
    if onnx and one.folder is None:
        raise StudyError(f"--onnx writes into an export; run `genome export {ref} --to DIR` and name DIR")
    images = images_of(one, data, data_root, said_of_images(size, read or ()))
    with log_to_terminal():
        found = find(one, images, rule, wanted(drop, macs, latency, one.plan.macs))
    drawn, plain = picture(found, one.plan.genome.name).encode(), to_json(one, images, found)
    beside = {CURVE_FILE: drawn}
    if onnx:
        made, plain["onnx"] = onnx_files(one, found.point.rule, images)
        beside |= made
    if one.folder is None:
        is_card_changed = False
        write_beside(one.beside, plain)
    else:
        is_card_changed = write_exits(one.folder, plain, beside)
    if svg is not None:
        files.write(svg, drawn)
    if as_json:
        print_json(plain)
    else:
        typer.echo(exits_text(found))
        typer.echo(kept_text(one, beside, is_card_changed))
