"""Keys of earlier versions in a study file: taken out, and told once."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from genome.yaml.source import Source
from search.config.schema import REMOVED
from search.config.study import StudyConfig

log = logging.getLogger("search")


def report_removed(config: StudyConfig) -> None:
    """Log, once for each study, that keys of an earlier version are ignored."""
    if config.removed:
        _log_removed(config.name)


@cache
def _log_removed(name: str) -> None:
    keys = ", ".join(map(".".join, REMOVED))
    log.warning("study %s: ignoring keys of an earlier version (of %s)", name, keys)


def without_removed(source: Source) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a study's values without keys of earlier versions, and a sentence with its place for each of these."""
    if "study" not in source.value:
        raise source.error((), "study is missing; begin with `study: NAME`")
    value, lines = dict(source.value), []
    for (section, key), reason in REMOVED.items():
        if isinstance(value.get(section), dict) and key in value[section]:
            value[section] = {name: inner for name, inner in value[section].items() if name != key}
            lines.append(
                str(source.error((section, key), f"{section}.{key} was removed: {reason}; take the key out"))
            )
    return value, tuple(lines)
