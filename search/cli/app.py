"""The command `genome`. Heavy libraries are imported by the verb that needs them, so that --help answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from search.cli import genome_verbs, study_verbs
from search.cli.data import data
from search.cli.evaluate import evaluate
from search.cli.exits import exits
from search.cli.export import export
from search.cli.init import init
from search.cli.output import print_error, print_json, remark, undecoded_name, user_errors
from search.cli.streams import prepare_streams
from search.cli.worker import worker

EXAMPLES = """Examples:

  genome init photos --budget 1h             write a study of your own images

  genome data photos --sheet photos.png      what is understood of your images

  genome search studies/digits.yaml          start a study, or resume it

  genome search mine.yaml --from digits      start from the best of another

  genome worker mine.yaml                    one more machine on a shared study

  genome check studies/*.yaml                report mistakes with file and line

  genome show best.yaml --svg best.svg       a genome as table and picture

  genome zoo --json                          the published networks

  genome stop digits                         end its runs, on any machine

  genome best digits                         the best networks of a study

  genome export digits#12 --to mine          genome, weights, report of a trial

  genome export digits --pareto --to mine    the best networks, with an index

  genome train digits#12 --seeds 3           train one network in full

  genome exits mine --drop 0.5%              images leave a network early

  genome evaluate mine                       what a network gets wrong

  genome predict mine photo.jpg              the class of a picture

  genome experience digits --to mine.json.gz   what later studies begin with

  genome dashboard digits                    a study's results in the browser
  genome report digits --to report.html      the same as one file, to print and to send
"""

app = typer.Typer(
    help="Neural architecture search over graph genomes.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions and the device, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the versions as JSON.")] = False,
) -> None:
    """Neural architecture search over graph genomes."""
    if version:
        from search.cli.version import environment, environment_text

        found = environment()
        if as_json:
            print_json(found)
        else:
            typer.echo(environment_text(found))
        raise typer.Exit()
    if as_json:
        context.fail("--json before a verb belongs to --version; give it after the verb")


for verb, example in (
    (init, "genome init photos --budget 1h --params 150k"),
    (data, "genome data photos --sheet photos.png"),
    (study_verbs.search, "genome search studies/digits.yaml"),
    (worker, "srun genome worker mine.yaml --grace 25s"),
    (genome_verbs.check, "genome check studies/*.yaml"),
    (genome_verbs.show, "genome show digits#12 --expand --svg twelve.svg"),
    (genome_verbs.zoo, "genome zoo --json"),
    (study_verbs.stop, "genome stop studies/digits.yaml"),
    (study_verbs.best, "genome best digits --json"),
    (export, "genome export digits --to mine"),
    (genome_verbs.train, "genome train zoo:resnet-20 --data cifar10 --epochs 100 --seeds 3"),
    (genome_verbs.bench, "genome bench mine zoo:resnet-20 --batch 1"),
    (exits, "genome exits mine --drop 0.3% --svg curve.svg"),
    (evaluate, "genome evaluate digits#12"),
    (study_verbs.predict, "genome predict mine photos/new --top 3"),
    (study_verbs.experience, "genome experience photos flowers --to mine.json.gz"),
    (study_verbs.dashboard, "genome dashboard studies/digits.yaml"),
    (study_verbs.report, "genome report digits --to report.html"),
):
    app.command(epilog=f"Example: {example}")(verb)


def main() -> None:
    """Run the command; every error of the user is reported in one or two lines, with status 2."""
    prepare_streams()
    try:
        app()
    except UnicodeEncodeError as error:
        if (name := undecoded_name(error)) is None:
            raise
        remark(f"the name {name} is not UTF-8, which no file of text can hold; rename it")
        sys.exit(2)
    except Exception as error:
        if not isinstance(error, user_errors()):
            raise
        print_error(error)
        sys.exit(2)
