"""The verb `evaluate`: what a trained network gets right and wrong on the validation images."""

from __future__ import annotations

import typer

from search.cli.options import RUNS, AsJson, DataRoot, ItsData, Network, Read, Runs, Size
from search.cli.output import print_json


def evaluate(
    ref: Network,
    data: ItsData = None,
    size: Size = None,
    read: Read = None,
    as_json: AsJson = False,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Find a network's confusions, calibration and worst answers on its validation images; the dashboard shows them."""
    from search.cli.evaluation_text import evaluation_text
    from search.cli.log import log_to_terminal
    from search.config.dataset import said_of_images
    from search.results.evaluation.file import EVALUATION_FILE, to_json
    from search.results.evaluation.write import evaluated, write_evaluation
    from search.results.trained import images_of, trained

    one = trained(ref, runs, data_root)
    images = images_of(one, data, data_root, said_of_images(size, read or ()))
    with log_to_terminal():
        found = evaluated(one, images)
    write_evaluation(one, found)
    if as_json:
        print_json(to_json(found))
    else:
        typer.echo(evaluation_text(found))
        typer.echo(f"{EVALUATION_FILE} is in {one.beside}; the dashboard shows it on the page of the trial")
