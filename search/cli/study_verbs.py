"""The verbs about studies: search, best, predict, experience, dashboard, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import RUNS, AsJson, AsPlain, DataRoot, Grace, Runs
from search.cli.output import print_json, remark
from search.formatting import size

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's name in --runs, or its YAML file.")
]


def search(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")],
    best_of: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STUDY[#TRIAL]",
            help="Start with the best networks of another study, or with one trial of it.",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="local or ray.  [default: what the study says]", show_default=False
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the Ray cluster: host:port, ray://host:port, auto or local.", show_default=False
        ),
    ] = None,
    grace: Grace = None,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
    plain: AsPlain = False,
) -> None:
    """Start or resume a study; the search runs until the budget is spent."""
    from search.cli.running import finish, run_shown
    from search.study import Study

    loaded = Study.load(study, runs, data_root, grace)
    loaded = replace(
        loaded, config=replace(loaded.config, engine=loaded.config.engine.instead(engine, address))
    )
    result = run_shown(lambda progress: loaded.run(progress, best_of), plain)
    finish(result, loaded.config.objectives, ["genome", "search", str(study)], runs)
    if not result.best:
        raise typer.Exit(1)


def best(
    study: StudyName,
    every: Annotated[bool, typer.Option("--all", help="List every trial, not only the best.")] = False,
    as_json: AsJson = False,
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """List the best network of a study, or its Pareto front."""
    from search.cli.tables import best_table, counts
    from search.proposals import latency_gate, screening
    from search.results import target
    from search.results.peak_error import peak_error
    from search.results.ranking import front
    from search.results.reference_text import choice_text
    from search.results.refs import open_study
    from search.results.removed import removed_weights
    from search.results.statement import statement
    from search.run.ownership import is_running, left_by_a_kill

    opened = open_study(study, runs, data_root)
    records = opened.store.records()
    listed = records if every else front(records, opened.config.objectives)
    goes_on = is_running(opened.store)
    budget = statement(opened.config, records, opened.store.ledger.sums(), goes_on)
    memory = peak_error(opened.store, records)
    if as_json:
        trials, told = [record.to_json() for record in listed], memory and memory._asdict()
        plain = {"budget": budget.to_json(), "is_running": goes_on, "peak_memory": told}
        print_json({"trials": trials, **plain})
    elif listed:
        typer.echo(best_table(listed, opened.config.objectives))
        found = target.reached(records, opened.config)
        typer.echo("\n" + (f"{target.sentence(found, opened.config)}; " if found else "") + budget.sentence())
        for line in (
            choice_text(records, opened.config.objectives),
            screening.summary(records, opened.config.objectives),
            latency_gate.summary(records),
            removed_weights(opened.store, records),
            left_by_a_kill(opened.store, records),
            memory and memory.sentence(),
        ):
            if line:
                typer.echo(f"\n{line}")
    if not listed:
        left = left_by_a_kill(opened.store, records)
        remark(
            f"study {opened.config.name} has no finished trial yet; {counts(records)}"
            + (f"; {left}" if left else "")
        )
        raise typer.Exit(1)


def stop(study: StudyName, runs: Runs = RUNS, data_root: DataRoot = None) -> None:
    """End all runs of a study, as Ctrl-C does: its trials write their checkpoints, and it can be resumed."""
    from search.run.end_runs import end_runs

    name = end_runs(study, runs, data_root)
    typer.echo(
        f"study {name} was asked to stop: its trials write their checkpoints, and `genome search` resumes it"
    )


def predict(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="A folder that `genome export` wrote.")],
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Pictures, or folders of them.")
    ],
    top: Annotated[
        int | None,
        typer.Option(min=1, help="How many classes to name, the most likely first.  [default: 1, 5 in JSON]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name the class of pictures by an exported network, which sees them as it saw those of its training."""
    from search.results.predict import Unread, pictures_in, predictions

    found = list(predictions(export, pictures_in(pictures), top or (5 if as_json else 1)))
    if as_json:
        print_json([one.to_json() for one in found])
    for one in found:
        if isinstance(one, Unread):
            remark(one.why)
        elif not as_json:
            typer.echo(one.text())
    if any(isinstance(one, Unread) for one in found):
        raise typer.Exit(2)


def experience(
    studies: Annotated[
        list[str],
        typer.Argument(metavar="STUDY...", help="Finished studies: names in --runs, or YAML files."),
    ],
    to: Annotated[Path, typer.Option(metavar="FILE.json.gz", help="The file; an earlier one is replaced.")],
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Write what studies found to a file that later studies begin with, as `experience: FILE`."""
    from search.results.experience import write
    from search.results.refs import open_study

    for found in write([open_study(name, runs, data_root) for name in studies], to):
        typer.echo(f"{found.data}: {len(found.genomes)} networks")
    typer.echo(f"{to} has these and the experience of the package; name it in a study as `experience: {to}`")


def dashboard(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY", help="A study's name in --runs, its YAML file, or the URL of a storage."
        ),
    ] = None,
    runs: Runs = RUNS,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Other than localhost requires a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")
    ] = 8080,
    optuna: Annotated[
        bool,
        typer.Option(
            "--optuna",
            help="Also run Optuna's own dashboard, on the next port. It can change the study and has no token, so it "
            "works on localhost only.",
        ),
    ] = False,
    data_root: DataRoot = None,
) -> None:
    """Show studies in the browser, also during a run: the networks found, their lineage and their cost.

    The pages can stop and resume a study, and add networks to its queue.
    """
    _need_dashboard("the dashboard")
    from search.dashboard.serve import serve, target

    serve(target(study, runs, data_root), host, port, lambda line: typer.echo(line), optuna)


def report(
    study: StudyName,
    to: Annotated[Path, typer.Option(metavar="FILE.html", help="The file; an earlier one is replaced.")],
    runs: Runs = RUNS,
    data_root: DataRoot = None,
) -> None:
    """Write a study to one HTML file, to print and to send: headline, charts, tables, pictures of the best networks.

    The file needs no server, no network and no script.
    """
    _need_dashboard("the report")
    from search.dashboard.serve import target
    from search.dashboard.studies.library import Library
    from search.dashboard.take_away.report import write_report

    what = target(study, runs, data_root)
    written = write_report(Library(what.runs, what.url), what.study or study, to)
    typer.echo(f"the report is in {written} ({size(written.stat().st_size)})")


def _need_dashboard(what: str) -> None:
    """Raise StudyError where the packages of the dashboard are not installed."""
    from importlib.util import find_spec

    from search.errors import StudyError

    if missing := [name for name in ("starlette", "jinja2", "uvicorn") if find_spec(name) is None]:
        raise StudyError(
            f"{what} needs {' and '.join(missing)}; install it with `pip install 'genome-nas[dashboard]'`, "
            "in a clone with `make dashboard`"
        )
