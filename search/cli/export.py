"""The verb export: a trial, the front of a study, or a genome with weights from a file, as something to take home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_args

import typer

from search.cli.options import RUNS, DataRoot, Read, Runs, Size

if TYPE_CHECKING:
    from search.results.packing import Options
    from search.results.refs import Opened
    from search.storage.record import Record
    from trainer.data.reading import Reading


class Request(NamedTuple):
    """What the command line asks for."""

    ref: str
    to: Path
    # best, search, finale or a file
    weights: str
    data: str | None
    reading: Reading
    is_front: bool
    runs: Path
    data_root: str | None


def export(
    ref: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="STUDY, STUDY#TRIAL; with weights from a file also a genome or zoo:NAME."
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="A new or empty folder, or an earlier export.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="best|search|finale|FILE.safetensors",
            help="Whose training: the best on the validation images, or one of the search or the finale; or a file.",
        ),
    ] = "best",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With weights from a file: the images that they are for, as in `genome train`.",
        ),
    ] = None,
    size: Size = None,
    read: Read = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Each network of the front in a folder, with an index.")
    ] = False,
    formats: Annotated[
        str,
        typer.Option(
            metavar="all|onnx,pt2",
            help="Further files for other runtimes, each checked against the network in a fresh process: pt2, onnx, "
            "openvino, ncnn, litert, executorch.",
        ),
    ] = "",
    fold: Annotated[
        bool,
        typer.Option("--fold", help="Norms become part of the convolutions, in model.py and in these files."),
    ] = False,
    hub: Annotated[
        bool, typer.Option("--hub", help="Also config.json, and a card that begins as model hubs expect.")
    ] = False,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Export a network: genome, weights, plain PyTorch, a report with the test accuracy, and a model card."""
    from search.cli.log import log_to_terminal
    from search.config.dataset import said_of_images
    from search.results.formats import chosen
    from search.results.packing import Options
    from search.results.refs import names_genome

    kinds = chosen(formats) if formats else []
    request, options = (
        Request(ref, to, weights, data, said_of_images(size, read or ()), pareto, runs, data_root),
        Options(kinds, fold, hub),
    )
    is_genome = names_genome(ref)
    with log_to_terminal():
        if _is_word(weights):
            _check_trained(request, is_genome)
            _export_trained(request, options)
        else:
            _export_given(request, options, is_genome)


def _is_word(weights: str) -> bool:
    from search.results.export import WeightsOf

    return weights in get_args(WeightsOf)


def _check_trained(asked: Request, is_genome: bool) -> None:
    """Raise StudyError for options that belong to weights from a file, and for a genome without weights."""
    from search.errors import StudyError

    if is_genome:
        raise StudyError(f"{asked.ref} has no weights; add --weights FILE.safetensors, or name a study")
    if asked.data is not None or asked.reading.given():
        raise StudyError(
            "--data, --size and --read belong to --weights FILE.safetensors: a study knows its own images"
        )


def _export_trained(asked: Request, options: Options) -> None:
    """Export a trial, or the front, with weights of the study."""
    from search.cli.tables import exported_weights, formats_table
    from search.formatting import some
    from search.results.export import export as write
    from search.results.front_export import export_front
    from search.results.refs import open_study, split_trial

    name, number = split_trial(asked.ref)
    _check_is_no_export(Path(name))
    opened = open_study(name, asked.runs, asked.data_root)
    found = _listed(opened, name, number, asked.is_front)
    store, config, (first, *_) = opened.store, opened.config, found
    if asked.is_front:
        folder = export_front(store, config, found, asked.to, asked.weights, options)  # type: ignore[arg-type]
        typer.echo(
            f"the front of {name}, {some(len(found), 'network')}, is in {folder}; begin with its README.md"
        )
        return
    folder = write(store, config, first, asked.to, weights_of=asked.weights, options=options)  # type: ignore[arg-type]
    training = exported_weights(first, config.objectives, folder)
    typer.echo(f"trial {first.number} is in {folder}" + (f", {training}" if training else ""))
    if options.formats:
        typer.echo(formats_table(folder))


def _check_is_no_export(folder: Path) -> None:
    from search.errors import StudyError
    from search.storage.trial_files import GENOME_FILE, WEIGHTS_FILE

    genome, weights = folder / GENOME_FILE, folder / WEIGHTS_FILE
    if genome.is_file() and weights.is_file():
        raise StudyError(
            f"{folder} is an export, not a study; name the study that it is of, or export its network by "
            f"`genome export {genome} --weights {weights} --data NAME --to DIR`"
        )


def _listed(opened: Opened, name: str, number: int | None, is_front: bool) -> Sequence[Record]:
    """Return the trial that is named, or the front of the study, the best first. Raises StudyError without any."""
    from search.errors import StudyError
    from search.results.ranking import front

    if number is not None:
        if is_front:
            raise StudyError(f"--pareto exports the front of a study; write {name} without #{number}")
        return [opened.trial(number)]
    if found := front(opened.store.records(), opened.config.objectives):
        return found
    raise StudyError(f"study {name} has no finished trial to export; run `genome search` first")


def _export_given(asked: Request, options: Options, is_genome: bool) -> None:
    """Export a genome with weights from a file."""
    from search.cli.tables import formats_table
    from search.errors import StudyError
    from search.results.export import Images, images_of, write
    from search.results.refs import named, open_study, split_trial
    from search.results.weights_file import given_images, with_weights

    if asked.is_front:
        raise StudyError("--pareto exports trained networks; --weights FILE belongs to one network")
    images: Images | None = None
    if asked.data is not None:
        images = given_images(asked.data, asked.data_root, asked.reading)
    if not is_genome:
        study, number = split_trial(asked.ref)
        opened = open_study(study, asked.runs, asked.data_root)
        if number is None:
            raise StudyError(f"--weights FILE belongs to one network; write {study}#TRIAL, such as {study}#0")
        images = images or images_of(opened.store, opened.config)
    network = named(asked.ref, asked.runs).genome
    folder = write(with_weights(network, Path(asked.weights), images), asked.to, options)
    typer.echo(f"{network.name} with the weights of {asked.weights} is in {folder}")
    if options.formats:
        typer.echo(formats_table(folder))
