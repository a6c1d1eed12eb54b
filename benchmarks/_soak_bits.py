"""Bits flipped in the files of a finished study, and what its commands then say."""

from __future__ import annotations

import io
import shutil
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

import torch
import yaml

from benchmarks._soak_study import NAME, SPACE
from search.cli import app
from search.errors import StudyError
from search.results.exported import load_export
from search.run.progress import Silent
from search.storage.study import open_to_read
from search.study import Study

TRIALS, REFUSED = 3, 2  # REFUSED: the status of a command that says why not


class Said(NamedTuple):
    """What a command ended with."""

    status: int
    out: str


def flips(folder: Path, count: int, seed: int) -> Counter[str]:
    """Flip so many bits, one at a time, each in a copy; return how often each outcome was seen."""
    whole, found = _study(folder), Counter[str]()
    files = sorted(one.relative_to(whole) for one in whole.rglob("*") if one.is_file())
    expected, rng = _outcome(whole, folder / "to"), Random(f"bits/{seed}")
    assert isinstance(expected, tuple), expected
    for _ in range(count):
        runs = folder / "copy"
        shutil.copytree(whole, runs)
        where = rng.choice(files)
        at = _flip(runs / where, rng)
        outcome = _outcome(runs, folder / "to")
        word = (
            outcome if isinstance(outcome, str) else "the same" if outcome == expected else "another result"
        )
        found[word] += 1
        if word in ("another result", "traceback"):
            print(f"  {word}: bit {at} of {where}", flush=True)
        shutil.rmtree(runs)
    return found


def _study(folder: Path) -> Path:
    """Run a study of a few trials and a finale; return the folder of its studies."""
    content = {
        "study": NAME,
        "data": "digits",
        "sampler": {"name": "random", "seed": 0},
        "train": {"epochs": 2, "batch": 64},
        "finale": {"share": 0.2, "top": 1, "seeds": 2},
        "references": "none",
        "workers": 1,
        "device": "cpu",
        "trials": TRIALS,
        "space": SPACE,
    }
    path = folder / f"{NAME}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert Study.load(path, folder / "runs").run(Silent()).exported
    open_to_read(NAME, folder / "runs").close()
    return folder / "runs"


def _flip(file: Path, rng: Random) -> int:
    content = bytearray(file.read_bytes())
    at = rng.randrange(8 * max(len(content), 1))
    if content:
        content[at // 8] ^= 1 << at % 8
    file.write_bytes(content)
    return at


def _outcome(runs: Path, to: Path) -> tuple[object, ...] | str:
    """Return all that is read of a study and its export, or `refused` or `traceback`."""
    found: list[object] = []
    try:
        asked = [
            ("best", NAME, "--all", "--json"),
            *(("show", f"{NAME}#{number}") for number in range(TRIALS)),
        ]
        said = [_command(*words, "--runs", runs) for words in asked]
        for number in range(TRIALS):
            shutil.rmtree(to, ignore_errors=True)
            said.append(
                _command("export", f"{NAME}#{number}", "--weights", "search", "--to", to, "--runs", runs)
            )
            if said[-1].status == 0:
                found.append(_answers(to))
        found.append(_answers(runs / NAME / "best"))
    except StudyError:
        return "refused"
    except Exception as error:
        print(f"  {type(error).__name__}: {error}", flush=True)
        return "traceback"
    if any(one.status == REFUSED for one in said):
        return "refused"
    found += [one.out.replace(str(runs), "") for one in said if one.out.startswith(("{", "["))]
    return tuple(found)


def _answers(export: Path) -> tuple[float, ...]:
    """Return what an exported network answers to fixed images, and its accuracy as its report tells it."""
    network, info = load_export(export)
    images = torch.randn(4, *info["input"], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (logits,) = network(images)
    return (*logits.flatten().tolist(), info["accuracy"]["valid"], info["accuracy"]["test"])


def _command(*words: object) -> Said:
    """Run the command in this process."""
    out, status = io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["genome", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(io.StringIO()),
    ):
        try:
            app.main()
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    return Said(status, out.getvalue())
