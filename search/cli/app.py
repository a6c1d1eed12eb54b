"""The command `genome`. Nothing heavy is imported before a verb needs it, so that --help answers at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

EXAMPLES = """Examples:

  genome search studies/digits.yaml          launch a study, or go on with it

  genome search mine.yaml --from digits      .. that begins with the best of another

  genome check studies/*.yaml                say what is wrong, at file:line

  genome show best.yaml --svg best.svg       a genome as table and picture

  genome zoo --json                          the published networks

  genome best digits                         the best networks of a study

  genome export digits#12 --to mine          genome, weights and report of one

  genome train digits#12 --seeds 3           one network in full, with checkpoints

  genome dashboard digits                    what a study has found, in the browser
"""

app = typer.Typer(
    help="Neural architecture search over graph genomes.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Runs = Annotated[Path, typer.Option(help="Folder that keeps studies, each in a folder of its name.")]
DataRoot = Annotated[
    str | None, typer.Option(help="Folder of the named data sets.", envvar="GENOME_DATA", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ref = Annotated[str, typer.Argument(metavar="REF", help="A YAML file, zoo:NAME, or STUDY#TRIAL.")]

RUNS = Path("runs")
INTERRUPTED = 130  # as a shell reports Ctrl-C


@app.command(epilog="Example: genome search studies/digits.yaml")
def search(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")],
    best_of: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STUDY[#TRIAL]", help="Begin with the best of another study, or one trial."
        ),
    ] = None,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also on a terminal.")] = False,
) -> None:
    """Launch a study, or go on with it, until its budget is spent."""
    from search.cli.log import spoken
    from search.cli.progress import Plain, Rich
    from search.cli.tables import result_text
    from search.study import Study

    loaded = Study.load(study, runs, data_root)
    live = sys.stdout.isatty() and not plain
    with spoken():
        result = loaded.run(Rich() if live else Plain(), best_of)
    again = f"genome search {study}" + (f" --runs {runs}" if runs != RUNS else "")
    typer.echo(result_text(result, loaded.config.objectives, again))
    if result.is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if not result.best:
        raise typer.Exit(1)


@app.command(epilog="Example: genome check studies/*.yaml")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Studies and genomes.")],
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Validate studies and genomes; say what is wrong, at file:line."""
    from search.cli.check import check_file

    wrong = 0
    for file in files:
        try:
            typer.echo(f"{file}  {check_file(file, runs, data_root)}")
        except _ours() as error:
            wrong += 1
            _complain(error)
    if wrong:
        raise typer.Exit(2)


@app.command(epilog="Example: genome show digits#12 --expand --svg twelve.svg")
def show(
    ref: Ref,
    expand: Annotated[
        bool, typer.Option("--expand", help="Show motifs as the plain nodes they stand for.")
    ] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture.")] = None,
    as_json: AsJson = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print the genome's text.")] = False,
    runs: Runs = RUNS,
) -> None:
    """Show a genome: its nodes, shapes, parameters and multiply-adds."""
    import genome
    from search.cli.tables import genome_json, genome_table
    from search.results.refs import genome_of
    from trainer import files

    found = genome_of(ref, runs)
    shown = genome.expand(found) if expand else found
    plan = genome.resolve(found)
    if svg is not None:
        files.write(svg, genome.draw(shown).encode())
    if as_json:
        _print_json(genome_json(shown, plan))
    elif as_yaml:
        typer.echo(genome.dump(shown), nl=False)
    else:
        typer.echo(genome_table(shown, plan))


@app.command(epilog="Example: genome zoo --json")
def zoo(as_json: AsJson = False) -> None:
    """List the published networks, with the errors their papers report."""
    import genome
    from search.cli.tables import zoo_json, zoo_table

    plans = [(g, genome.resolve(g)) for g in map(genome.zoo.get, genome.zoo.names())]
    if as_json:
        _print_json([zoo_json(*one) for one in plans])
    else:
        typer.echo(zoo_table(plans))


@app.command(epilog="Example: genome best digits --json")
def best(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study's name in --runs, or its YAML file.")
    ],
    every: Annotated[bool, typer.Option("--all", help="List every trial, not only the best.")] = False,
    as_json: AsJson = False,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """List the best network of a study, or its Pareto front."""
    from search.cli.tables import best_table, counts
    from search.proposals.screening import summary
    from search.results.ranking import front
    from search.results.refs import open_study

    opened = open_study(study, runs, data_root)
    records = opened.store.records()
    listed = records if every else front(records, opened.config.objectives)
    if as_json:
        _print_json([record.to_json() for record in listed])
    elif listed:
        typer.echo(best_table(listed, opened.config.objectives))
        if line := summary(records, opened.config.objectives):
            typer.echo(f"\n{line}")
    if not listed:
        _say(f"study {opened.config.name} has no finished trial yet; {counts(records)}")
        raise typer.Exit(1)


@app.command(epilog="Example: genome export digits --to mine")
def export(
    study: Annotated[str, typer.Argument(metavar="STUDY[#TRIAL]", help="A study, or one trial of it.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="A new or empty folder, or an earlier export.")],
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Export a network: genome, weights, and a report with its test accuracy."""
    from search.cli.tables import taken
    from search.errors import StudyError
    from search.results.export import export as write
    from search.results.ranking import front
    from search.results.refs import open_study, split_trial

    name, number = split_trial(study)
    opened = open_study(name, runs, data_root)
    listed = (
        front(opened.store.records(), opened.config.objectives) if number is None else [opened.trial(number)]
    )
    if not listed:
        raise StudyError(f"study {name} has no finished trial to export; run `genome search` first")
    folder = write(opened.store, opened.config, listed[0], to)
    weights = taken(listed[0], opened.config.objectives)
    typer.echo(f"trial {listed[0].number} is in {folder}" + (f", {weights}" if weights else ""))


@app.command(epilog="Example: genome train zoo:resnet-20 --data cifar10 --epochs 100 --seeds 3")
def train(
    ref: Ref,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A data set's name, a folder or an .npz; that of the study for STUDY#TRIAL."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the train images.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many times, with seeds 0, 1, 2 ..")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Anything else of the recipe, as lr=0.2."),
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="By default runs/train/NAME-DATA.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    ddp: Annotated[
        bool, typer.Option("--ddp", help="One process on every GPU, each with its share of a batch.")
    ] = False,
    processes: Annotated[int | None, typer.Option(min=1, max=256, help="Of --ddp: how many instead.")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels to which own images are resized.")] = None,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also on a terminal.")] = False,
) -> None:
    """Train one genome in full. A killed training goes on where it was, by the same command."""
    from search.run.stop import stop_signals
    from search.train import ddp as parallel
    from search.train.curve import Lines, Picture
    from search.train.request import order
    from search.train.train import claim, summary_text
    from search.train.train import train as train_all

    if ddp and not parallel.is_inside():
        # what is wrong is said here: torchrun would bury it under a traceback
        claim(order(ref, data, epochs, seeds, settings or [], to, "cpu", size, runs, data_root))
        raise typer.Exit(parallel.launch(device, processes, sys.argv[1:]))
    live = sys.stdout.isatty() and not plain
    with stop_signals() as stop_asked, parallel.ranks(device if ddp else None) as (ranks, place):
        training = order(ref, data, epochs, seeds, settings or [], to, place or device, size, runs, data_root)
        with Picture() if live else Lines() as curve:
            if ranks.is_first:
                curve.said(training.opening())
            reports = train_all(training, curve, stop_asked, ranks)
        if ranks.is_first and reports:
            typer.echo(summary_text(reports, training.folder))
        if stop_asked():
            _say("stopped; the same command goes on where it was")
            raise typer.Exit(INTERRUPTED)


@app.command(epilog="Example: genome dashboard studies/digits.yaml")
def dashboard(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]", help="A study's name in --runs, its YAML file, or the URL of a storage."
        ),
    ] = None,
    runs: Runs = RUNS,
    host: Annotated[
        str, typer.Option(help="Where to listen. Elsewhere than on this machine a token is asked for.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = 8080,
    optuna: Annotated[
        bool,
        typer.Option(
            "--optuna",
            help="Optuna's own dashboard too, at the next port. It may change the study and asks for no token, so on "
            "this machine alone.",
        ),
    ] = False,
    data_root: DataRoot = None,
) -> None:
    """Show studies in the browser, also while they run: what was found, from what, at what cost.

    From there a study can be stopped and resumed, and given networks to try.
    """
    from importlib.util import find_spec

    from search.errors import StudyError

    if missing := [name for name in ("starlette", "jinja2", "uvicorn") if find_spec(name) is None]:
        raise StudyError(
            f"the dashboard needs {' and '.join(missing)}; install it with `pip install 'genome-nas[dashboard]'`, "
            "in a clone with `make dashboard`"
        )
    from search.dashboard.serve import serve, target

    serve(target(study, runs, data_root), host, port, lambda line: typer.echo(line), optuna)


def main() -> None:
    """Run the command; every error of a user's making is one or two lines and status 2."""
    try:
        app()
    except Exception as error:
        if not isinstance(error, _ours()):
            raise
        _complain(error)
        sys.exit(2)


def _ours() -> tuple[type[Exception], ...]:
    """Errors whose message is a sentence for the user. Asked for only when there is one."""
    from genome import GenomeError
    from genome.source import SourceError
    from search.errors import StudyError
    from search.space.holes import SpaceError
    from trainer import BudgetError, CheckpointError, DataError, RecipeError

    ours = (StudyError, SourceError, GenomeError, SpaceError)
    return (*ours, BudgetError, CheckpointError, DataError, RecipeError, OSError)


def _complain(error: Exception) -> None:
    if isinstance(error, OSError):
        _say(f"{error.filename or 'file'}: {error.strerror or error}")
    else:
        _say(str(error))


def _say(line: str) -> None:
    if os.environ.get("RANK", "0") == "0":  # of several processes that say the same, one is enough
        typer.echo(line, err=True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
