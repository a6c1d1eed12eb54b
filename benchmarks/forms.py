"""Forms: forward and backward of drawn genomes in each number format and layout, against fp32 in contiguous layout.

One CPU thread, process time, the minimum of six steps taken in turn. The usual layout and the candidates of the probe
rest on these figures; the benchmark has no goal.

    python benchmarks/forms.py [--data digits] [--data-root FOLDER] [--batch 32] [--genomes 14]
"""

import argparse
import os
import statistics
from pathlib import Path
from random import Random

import torch

import genome
import trainer
from benchmarks._rounds import prepare, seconds, setting
from search.config.read import read_study
from trainer.hardware.modes import unchanged
from trainer.hardware.precision import Form
from trainer.loop.precision_probe import _run

STUDIES = Path(__file__).parents[1] / "studies"
FORMS = [Form(p, layout) for p in ("fp32", "bf16") for layout in ("contiguous", "channels_last")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits", choices=("digits", "fashion-mnist"))
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--genomes", type=int, default=14)
    given = parser.parse_args()
    prepare()
    trainer.keep_pages()
    print(setting(0))
    data = trainer.load(given.data, root=given.data_root, download=False)
    space, rng = read_study(STUDIES / f"{given.data}.yaml").space, Random(1)
    recipe, device = trainer.Recipe(batch=given.batch), torch.device("cpu")
    columns: list[list[float]] = [[] for _ in FORMS]
    for _ in range(given.genomes):
        plan = genome.resolve(space.sample(rng))
        module = genome.build(plan, seed=0)
        with unchanged(module):
            runs = [_run(module, data, recipe, device, form) for form in FORMS]
            rows = [[seconds(run) for run in runs] for _ in range(6)]
        least = [min(column) for column in zip(*rows, strict=True)]
        print(f"{plan.macs / 1e6:8.2f}M", "  ".join(f"{least[0] / one:.2f}x" for one in least), flush=True)
        for column, one in zip(columns, least, strict=True):
            column.append(least[0] / one)
    for form, column in zip(FORMS, columns, strict=True):
        median, low, high = statistics.median(column), min(column), max(column)
        print(f"{form.precision} {form.layout:14} median {median:.2f}x  ({low:.2f}..{high:.2f})")


if __name__ == "__main__":
    main()
