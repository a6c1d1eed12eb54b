"""The target of a study, `until:` in its file: values of objectives at which its search ends."""

from __future__ import annotations

from collections.abc import Iterable

from search.config.study import StudyConfig
from search.objective import formatted
from search.storage.record import Record


def is_reached(record: Record, config: StudyConfig) -> bool:
    """Whether a trial that has ended has a value of every target, or a better one."""
    if not config.until or record.values is None:
        return False
    values = {one.name: (one, value) for one, value in zip(config.objectives, record.values, strict=True)}
    return all(
        name in values and values[name][0].cost(values[name][1]) <= values[name][0].cost(target)
        for name, target in config.until.items()
    )


def reached(records: Iterable[Record], config: StudyConfig) -> Record | None:
    """Return the first trial that has reached the target of its study, None where there is none."""
    return next((record for record in records if is_reached(record, config)), None)


def sentence(record: Record, config: StudyConfig) -> str:
    """Return that a trial has reached the target, as a clause."""
    values = dict(zip((one.name for one in config.objectives), record.values or (), strict=False))
    told = [
        f"{name} {formatted(name, values[name])} (until {target:g})" for name, target in config.until.items()
    ]
    return f"trial {record.number} reached the target: {', '.join(told)}"
