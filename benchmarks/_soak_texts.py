"""Texts that are broken at random: each is read, or refused with a sentence."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil

import genome
import trainer
from genome import GenomeError
from genome.yaml.source import SourceError, parse
from search.config.read import check_study
from search.errors import StudyError
from search.storage.trial_files import REPORT_FILE
from search.storage.trial_report import Charge, TrialReport, stored_report
from trainer import ReportError

ROOT = Path(__file__).parents[1]
LETTERS = "ab1:-,[]{}&*!|>'\"%@`#?~<.\\ \n\té\0"
WORDS = (
    "{}",
    "[]",
    "null",
    "-1",
    "0",
    "1e999",
    "nan",
    ".inf",
    "true",
    "''",
    "9" * 20,
    "&a",
    "*a",
    "<<: *a",
    "[[",
)
ZOO = ("branchy-lenet", "cliquenet-s0", "fractalnet-c2")
WHOLLY_RANDOM = 0.1  # of the texts
MOST_CHANGES, MOST_LETTERS = 3, 400
REFUSALS = (GenomeError, SourceError, StudyError, ReportError)
TINY = """\
genome: tiny
input: [1, 8, 8]
classes: 10
nodes:
  a: {op: conv, in: [image], width: 4}
  out: {op: exit, in: [a]}
"""


class Read(NamedTuple):
    """What became of the texts."""

    texts: int
    read: int
    refused: int
    tracebacks: int
    slowest: float  # seconds of the processor
    growth_mib: float  # of the memory, after the first tenth of the texts


class Kind(NamedTuple):
    """A kind of text: what reads it, and texts of that kind that are whole."""

    read: Callable[[str], object]
    whole: tuple[str, ...]


def read_all(folder: Path, count: int, seed: int) -> Read:
    """Read so many texts, each kind in turn; one that ends in a traceback is kept in the folder for temporary files."""
    rng, kinds = Random(f"texts/{seed}"), _kinds(folder)
    read = refused = broken = 0
    slowest, held = 0.0, _held_mib()
    for number in range(count):
        name = list(kinds)[number % len(kinds)]
        text = _changed(rng.choice(kinds[name].whole), rng)
        began = time.process_time()
        try:
            kinds[name].read(text)
            read += 1
        except REFUSALS:
            refused += 1
        except Exception:
            broken += 1
            kept = folder.parent / f"soak-{name}-{seed}-{number}.txt"
            kept.write_bytes(text.encode())
            print(f"  {kept}: {traceback.format_exc(limit=-1)}", flush=True)
        slowest = max(slowest, time.process_time() - began)
        if number == count // 10:
            held = _held_mib()
    return Read(count, read, refused, broken, slowest, _held_mib() - held)


def _kinds(folder: Path) -> Mapping[str, Kind]:
    genomes = (
        (ROOT / "docs" / "genome.yaml").read_text(),
        *(genome.dump(genome.zoo.get(one)) for one in ZOO),
    )
    studies = tuple(one.read_text() for one in sorted((ROOT / "studies").glob("*.yaml")))
    plan = genome.resolve(genome.loads(TINY))
    return {
        "genome": Kind(genome.loads, genomes),
        "study": Kind(lambda text: check_study(parse(text), folder=folder), studies),
        "report": Kind(lambda text: _read_report(folder, text, genome.digest(plan)), (_report(plan),)),
    }


def _report(plan: genome.Plan) -> str:
    """Return the text of a trial's report, as earlier versions wrote it: without sums, so that each value counts."""
    report = trainer.fit(genome.build(plan), trainer.load("digits"), recipe=trainer.Recipe(epochs=3))
    return json.dumps(TrialReport(report, 0, genome.digest(plan), Charge(report.seconds)).to_json())


def _read_report(folder: Path, text: str, digest: str) -> TrialReport:
    """Read a report from its file. Raises ReportError where it is passed over."""
    (folder / REPORT_FILE).write_bytes(text.encode())
    found = stored_report(folder, digest, 0)
    if found is None:
        raise ReportError("it is passed over")
    return found


def _changed(text: str, rng: Random) -> str:
    """Return the text with a few changes, or letters at random in its place."""
    if rng.random() < WHOLLY_RANDOM:
        return "".join(rng.choices(LETTERS, k=rng.randrange(MOST_LETTERS)))
    for _ in range(rng.randrange(1, MOST_CHANGES + 1)):
        text = rng.choice(CHANGES)(text, rng)
    return text


def _letter(text: str, rng: Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(LETTERS) + text[at + rng.randrange(2) :]


def _value(text: str, rng: Random) -> str:
    """Put another word in the place of a value."""
    places = [at for at, letter in enumerate(text) if letter in ":,["] or [0]
    at = rng.choice(places) + 1
    end = min((found for mark in ",]}\n" if (found := text.find(mark, at)) >= 0), default=len(text))
    return f"{text[:at]} {rng.choice(WORDS)}{text[end:]}"


def _line(text: str, rng: Random) -> str:
    """Drop, repeat or move a line."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    line = lines.pop(at)
    for _ in range(rng.randrange(3)):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _part(text: str, rng: Random) -> str:
    """Cut a part out, or double it."""
    first, last = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    last = min(last, first + MOST_LETTERS)
    return text[:first] + text[first:last] * rng.choice((0, 2)) + text[last:]


CHANGES = (_letter, _value, _line, _part)


def _held_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20
