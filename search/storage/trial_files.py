"""Files that a worker writes into the folder of its trial, the report last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GENOME_FILE, WEIGHTS_FILE, REPORT_FILE = "genome.yaml", "weights.safetensors", "report.json"
CHECKPOINT_FILE = "checkpoint"  # deleted when the trial, or the trial that retries it, has ended


def read_report(folder: Path, digest: str | None, number: int) -> dict[str, Any] | None:
    """Return the report in a folder as plain values, None where there is none of this network and this trial."""
    try:
        report = json.loads((folder / REPORT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    is_its_own = isinstance(report, dict) and report.get("digest") == digest is not None
    return report if is_its_own and report.get("number") == number else None
