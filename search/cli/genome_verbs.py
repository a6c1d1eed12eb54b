"""The verbs about genomes and files: check, show, zoo, train."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import INTERRUPTED, RUNS, AsJson, AsPlain, DataRoot, Read, Ref, Runs, Size
from search.cli.output import print_error, print_json, remark, user_errors


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Studies and genomes.")],
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Validate studies and genomes; report the mistakes together, each with file and line."""
    from search.cli.check import check_file

    wrong = 0
    for file in files:
        try:
            typer.echo(f"{file}  {check_file(file, runs, data_root)}")
        except user_errors() as error:
            wrong += 1
            print_error(error)
    if wrong:
        raise typer.Exit(2)


def show(
    ref: Ref,
    expand: Annotated[
        bool, typer.Option("--expand", help="Replace motifs by the plain nodes that they stand for.")
    ] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture.")] = None,
    as_json: AsJson = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print the genome's text.")] = False,
    runs: Runs = RUNS,
) -> None:
    """Show a genome: its nodes, shapes, parameters and multiply-adds."""
    import genome
    from search.cli.tables import genome_json, genome_table
    from search.results.refs import named
    from trainer import files

    found = named(ref, runs)
    shown = genome.expand(found.genome) if expand else found.genome
    plan = genome.resolve(found.genome)
    if svg is not None:
        files.write(svg, genome.draw(shown).encode())
    if as_json:
        print_json(genome_json(shown, plan, found.searched))
    elif as_yaml:
        typer.echo(genome.dump(shown), nl=False)
    else:
        typer.echo(genome_table(shown, plan, found.searched))


def bench(
    refs: Annotated[
        list[str],
        typer.Argument(
            metavar="REF...", help="Folders of exports, YAML files, zoo:NAME or STUDY#TRIAL, side by side."
        ),
    ],
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, max=1024, help="Images at once; may be given again.  [default: 1, 64]"),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the CPU.")] = 1,
    formats: Annotated[
        str, typer.Option(metavar="all|none|onnx,pt2", help="The files that are measured, too.")
    ] = "all",
    as_json: AsJson = False,
    runs: Runs = RUNS,
) -> None:
    """Measure the latency of networks on this CPU: as built, in plain PyTorch, with folded norms, and as files."""
    from search.cli.log import log_to_terminal
    from search.cli.tables import latency_table
    from search.errors import StudyError
    from search.results.bench import latencies
    from search.results.formats import chosen
    from trainer.system.cpu import usable_cores

    if threads > usable_cores():
        raise StudyError(f"--threads is {threads}; this process may use {usable_cores()} cores")

    kinds = [] if formats == "none" else chosen(formats)
    with log_to_terminal():
        found = [one for ref in refs for one in latencies(ref, runs, batch or (1, 64), threads, kinds)]
    if as_json:
        print_json([one.to_json() for one in found])
    else:
        typer.echo(latency_table(found))


def zoo(as_json: AsJson = False) -> None:
    """List the published networks with the errors that their papers report."""
    import genome
    from search.cli.tables import zoo_json, zoo_table

    plans = [(g, genome.resolve(g)) for g in map(genome.zoo.get, genome.zoo.names())]
    if as_json:
        print_json([zoo_json(*one) for one in plans])
    else:
        typer.echo(zoo_table(plans))


def train(
    ref: Ref,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of a data set, a folder or an .npz file (default for STUDY#TRIAL: the study's data).",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Number of trainings: seeds 0, 1, 2 ..")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key of the recipe, such as lr=0.2."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output folder (default: runs/train/NAME-DATA).")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    ddp: Annotated[
        bool, typer.Option("--ddp", help="Use all GPUs: one process for each, with its share of every batch.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Number of processes for --ddp (default: one per GPU)."),
    ] = None,
    size: Size = None,
    read: Read = None,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
    plain: AsPlain = False,
) -> None:
    """Train one genome in full. The same command resumes an interrupted training."""
    from search.cli.train import run_train
    from search.config.dataset import said_of_images
    from search.train.request import TrainOptions

    said = said_of_images(size, read or ())
    options = TrainOptions(ref, data, epochs, seeds, tuple(settings or ()), to, device, said, runs, data_root)
    live = sys.stdout.isatty() and not plain
    if (status := run_train(options, ddp, processes, live, typer.echo)) == INTERRUPTED:
        remark("stopped; the same command resumes the training")
    if status:
        raise typer.Exit(status)
