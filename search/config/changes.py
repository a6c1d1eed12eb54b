"""Changes of a study file between runs: which values may grow, and which would make it another study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from genome.yaml.source import shown
from search.config.dataset import SHAPES
from search.config.study import StudyConfig
from search.errors import StudyError
from trainer.recipe.recipe import EARLIER

# free to change: they say how the study is run; new genomes under `start` are trained next
FREE = ("workers", "device", "start", "finale", "keep", "references", "experience", "until")
# may grow, and be lifted altogether by leaving them out
GROWING = (
    ("budget", "device_time"),
    ("budget", "per_trial"),
    ("budget", "memory"),
    ("trials",),
    ("train", "epochs"),
)
LONGEST = 12  # lines of the difference that are shown
_ABSENT = object()


def resumed(stored: StudyConfig, file: StudyConfig) -> StudyConfig:
    """Return the file with the defaults that its study was begun with. Raises StudyError as `check_same` does."""
    now = _as_begun(stored, file)
    check_same(stored, now)
    return now


def _as_begun(stored: StudyConfig, now: StudyConfig) -> StudyConfig:
    """Return `now`, with the recipe defaults of version 0.1.0 where `stored` was begun with them.

    The defaults decide only where the file leaves a key out: a key that was taken out of it is a change.
    """
    asked = {**now.train.fixed, **now.train.holes}
    left_out = {key: value for key, value in EARLIER.items() if key not in asked}
    earlier = replace(now.train, fixed={**left_out, **now.train.fixed})
    same_epochs = replace(earlier, fixed={**earlier.fixed, "epochs": stored.recipe.epochs})
    return replace(now, train=earlier) if same_epochs.plain() == stored.train.plain() else now


def check_same(stored: StudyConfig, now: StudyConfig) -> None:
    """Raise StudyError, with the difference, unless `now` is `stored` with more budget or other workers."""
    before, after = stored.plain(), now.plain()
    if stored.data.name not in SHAPES and now.data.name not in SHAPES:
        del before["data"], after["data"]  # images of one's own may move: their digest tells them apart
    for key in FREE:
        before.pop(key, None), after.pop(key, None)
    if now.train.auto_batch and stored.budget.memory != now.budget.memory:
        raise StudyError(
            f"budget.memory of study {now.name} was {_said(stored.budget.memory)} and is {_said(now.budget.memory)} "
            "now; batch: auto goes by it. Put it back, or give the study another name"
        )
    for address in GROWING:
        old, new = _taken(before, address), _taken(after, address)
        if new is not None and (old is None or new < old):
            name = ".".join(address)
            raise StudyError(
                f"{name} of study {now.name} was {_said(old)} and is {new} now; it may only grow. "
                "Put it back, or give the study another name"
            )
    if before != after:
        raise StudyError(
            f"{now.source.path} is no longer the study {now.name} that was begun; put it back, or give it another "
            "name (only budget, trials, until, epochs, finale, keep, artifacts, references, experience, workers, "
            "device, engine and start may change):\n"
            f"{_shown(before, after)}"
        )


def _taken(plain: dict[str, Any], address: tuple[str, ...]) -> Any:
    """Take a value out of nested mappings; None where it is not there."""
    for key in address[:-1]:
        plain = plain.get(key, {})
    return plain.pop(address[-1], None)


def _said(value: Any) -> str:
    return "without limit" if value is None else str(value)


def _shown(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Each value that differs, at its address: what it was -> what it is."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changed = [
        f"  {address}: {_put(old.get(address))} -> {_put(new.get(address))}"
        for address in dict.fromkeys([*old, *new])
        if old.get(address, _ABSENT) != new.get(address, _ABSENT)
    ]
    more = [f"  ... and {len(changed) - LONGEST} more"] if len(changed) > LONGEST else []
    return "\n".join(changed[:LONGEST] + more)


def _leaves(value: Any, address: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{address}.{key}" if address else str(key))
    else:
        yield address, value


def _put(value: Any) -> str:
    return "nothing" if value is None else shown(value)
