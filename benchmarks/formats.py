"""How right each format of exports is: a table of formats by node types, hard cases, published networks and draws.

    python benchmarks/formats.py [--formats onnx,openvino] [--draws 20] [--variants 3] [--only WORD]

A cell has the largest difference of the logits, or how many networks are not right, of which kind. Each file runs in a
fresh process; formats whose extras are not installed are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from genome import Plan
from search.results.formats import FORMATS, Format, Refused, checked_file, chosen, file_of
from search.results.pixels import Pixels
from tests.format_cases import families
from tests.genome.plain.test_plain import stirred
from tests.search.test_format_files import facts

IMAGES = 3


def seen(one: Format, plan: Plan) -> tuple[float | None, str]:
    """Return the largest difference of a network, None where the file does not run, and why it is not kept."""
    module = Pixels(stirred(plan, 1), plan, facts(plan), fold=False)
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *plan.genome.input), dtype=np.uint8)
    try:
        found = checked_file(one, file_of(one, module), module, pixels, batches=())
    except Refused as error:
        return None, str(error)
    return found.get("largest_difference"), found.get("why", "")


def cell(one: Format, networks: Sequence[tuple[str, Plan]]) -> str:
    """Return what a format makes of networks, and print what is wrong to stderr."""
    worst, wrong, failed = 0.0, list[float](), 0
    for name, plan in networks:
        error, why = seen(one, plan)
        if why:
            print(f"{one.name}, {name}: {why}", file=sys.stderr, flush=True)
        if error is None:
            failed += 1
        elif why:
            wrong.append(error)
        else:
            worst = max(worst, error)
    bad = [f"{len(wrong)} differ, by up to {max(wrong):.0%}"] if wrong else []
    bad += [f"{failed} fail"] if failed else []
    return ", ".join([f"{worst:.0e}", *bad]) + (f" of {len(networks)}" if bad else "")


def rows(formats: Sequence[Format], draws: int, only: str, variants: int) -> Iterator[tuple[str, ...]]:
    for family, networks in families(draws, variants):
        if only in family:
            listed = list(networks)
            yield family, str(len(listed)), *(cell(one, listed) for one in formats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default="all", help=f"all, or some of {', '.join(FORMATS)}")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--variants", type=int, default=1000, help="networks of a node type, at most")
    parser.add_argument("--only", default="", help="rows whose name has this")
    given = parser.parse_args()
    torch.set_num_threads(1)
    formats = chosen(given.formats)
    print("| | networks |", " | ".join(one.name for one in formats), "|")
    print("| --- |" + " --- |" * (1 + len(formats)))
    for row in rows(formats, given.draws, given.only, given.variants):
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
