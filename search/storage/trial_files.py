"""The files that a worker writes into the folder of its trial; the report is the last one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GENOME_FILE, WEIGHTS_FILE, REPORT_FILE = "genome.yaml", "weights.safetensors", "report.json"
CHECKPOINT_FILE = "checkpoint"  # deleted when the trial, or the trial that retries it, has ended


def read_report(folder: Path, digest: str | None, number: int) -> dict[str, Any] | None:
    """Return the report in a folder as plain values, None where it does not exist or is of another network or trial."""
    try:
        report = json.loads((folder / REPORT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    is_of_trial = isinstance(report, dict) and report.get("digest") == digest is not None
    return report if is_of_trial and report.get("number") == number else None
