"""exits.json: how the network of an export leaves early, and what that came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.storage.trial_files import WEIGHTS_FILE

if TYPE_CHECKING:
    from genome.exits.rules import Rule

EXITS_FILE, CURVE_FILE = "exits.json", "exits.svg"
PREFIX = "exits"  # of all files that `genome exits` writes into an export
FORMAT = 1


def read_rule(path: Path, content: bytes, info: Mapping[str, Any]) -> Rule:
    """Return the rule in an exits.json. info: the report of its export.

    Raises StudyError for anything but the thresholds of this export's weights.
    """
    from genome.exits.rules import rule_of

    again = f"run `genome exits {path.parent}` again"
    try:
        found = json.loads(content)
        known = isinstance(found, dict) and found["format"] == FORMAT
        rule, weights = (rule_of(found["rule"]), found["weights"]) if known else (None, None)
    except (KeyError, ValueError, RecursionError) as error:
        raise StudyError(f"{path} cannot be read ({error}); {again}") from None
    if rule is None:
        raise StudyError(f"{path} has not the format {FORMAT}; {again}")
    if weights != info["files"].get(WEIGHTS_FILE):
        raise StudyError(f"{path} has the thresholds of another network; {again}")
    return rule


def to_bytes(plain: Mapping[str, Any]) -> bytes:
    """Return plain values as the files of an export hold them."""
    return json.dumps(plain, indent=2, allow_nan=False).encode()
