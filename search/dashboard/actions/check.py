"""The check of a genome while a person writes it: mistakes by line, costs, a picture, and what the study says of it."""

from __future__ import annotations

import re
from typing import Any

import genome
from genome import GenomeError
from genome.yaml.source import SourceError
from search import objective
from search.dashboard.genomes.picture import genome_picture
from search.dashboard.studies.snapshot import Snapshot
from search.errors import StudyError
from search.proposals import enqueue
from search.space.space import Space

PATH = "text"  # the name of the text in errors
MOST_MISTAKES = 20
_PLACE = re.compile(rf"\s*{PATH}:(\d+)(?::\d+)?:?\s*(.*)")


def check(snapshot: Snapshot, space: Space, text: str) -> dict[str, Any]:
    """Return what is wrong with a text, or what the network of a right one costs.

    `refused` says why the study does not take a network that is right in itself; None where it takes it.
    """
    try:
        given = genome.loads(text, path=PATH)
        plan = genome.resolve(given)
    except (GenomeError, SourceError) as error:
        return {"mistakes": mistakes(str(error))}
    try:
        enqueue.fit(snapshot.config, space, given)
        refused = None
    except StudyError as error:
        refused = " ".join(str(error).split())
    costs = {"params": plan.params, "macs": plan.macs, "memory": plan.memory_bytes}
    return {
        "mistakes": [],
        "costs": ", ".join(f"{objective.formatted(name, value)} {name}" for name, value in costs.items()),
        "refused": refused,
        "picture": genome_picture(text),
    }


def mistakes(said: str) -> list[dict[str, Any]]:
    """Return the mistakes that an error names, each with its line, or None where it names none."""
    found = list[dict[str, Any]]()
    for line in filter(str.strip, said.split("\n")):
        place = _PLACE.match(line)
        if place:
            found.append({"line": int(place[1]), "says": place[2].strip()})
        elif found:
            found[-1]["says"] += f" {line.strip()}"
        else:
            found.append({"line": None, "says": line.strip()})
    return found[:MOST_MISTAKES]
