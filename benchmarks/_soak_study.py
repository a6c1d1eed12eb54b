"""The study of the soak: trainings of a second, evolution, rungs and a finale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.command import MAIN

NAME = "soak"
SPACE = {
    "widths": {"rule": "add", "base": {"int": [4, 12]}, "alpha": {"float": [0, 8]}},
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [1, 3, 5]}},
        "s1": {
            "op": "stack",
            "in": ["stem"],
            "depth": {"int": [1, 3]},
            "body": {"op": {"one_of": ["conv", "separable", "residual"]}},
        },
        "out": {"op": "exit", "in": ["s1"]},
    },
}
FIRST = "first.yaml"
GENOME = {
    "genome": "first",
    "input": [1, 8, 8],
    "classes": 10,
    "widths": {"rule": "add", "base": 8, "alpha": 4.0},
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3},
        "s1": {"op": "stack", "in": ["stem"], "depth": 2, "body": {"op": "conv"}},
        "out": {"op": "exit", "in": ["s1"]},
    },
}


def written(folder: Path, storage: str | None, **changes: Any) -> Path:
    """Write a study file and the genome that it starts with; return its path. changes: keys of the file."""
    content: dict[str, Any] = {
        "study": NAME,
        "data": "digits",
        "sampler": {"name": "evolve", "seed": 0},
        "train": {"epochs": 8, "batch": 32},
        "budget": {"rungs": [1, 3]},
        "pruner": "halving",
        "finale": {"share": 0.2, "top": 2, "seeds": 2},
        "references": "none",
        "workers": 2,
        "device": "cpu",
        "start": [FIRST],  # a run that goes on reads the study before it opens it
        "space": SPACE,
    }
    content |= changes | ({"storage": storage} if storage else {})
    (folder / FIRST).write_text(yaml.safe_dump(GENOME, sort_keys=False))
    path = folder / f"{NAME}.yaml"
    path.write_text(
        yaml.safe_dump({key: one for key, one in content.items() if one is not None}, sort_keys=False)
    )
    return path


def search_words(path: Path) -> list[str]:
    """Return the command that runs the study of a file; its runs are beside the file."""
    return [sys.executable, "-c", MAIN, "search", str(path), "--runs", str(path.parent / "runs")]
