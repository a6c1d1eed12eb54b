"""Where a network came from, in a model card: its training and its lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search import formatting, objective
from search.results.card.markdown import plain, table

MOST_ROWS = 30  # trials of a lineage


def training(info: Mapping[str, Any]) -> str:
    """Return how the weights were trained."""
    done = info["training"]
    if not done:
        source = info.get("weights", {})
        name, digest = plain(source.get("file", "a file")), source.get("sha256", "")
        return f"The weights are those of {name} (sha256 `{digest}`). How they were trained is not known."
    epochs = formatting.some(done["epochs"], "epoch")
    best = f", the weights are those of epoch {done['best_epoch']}" if done.get("best_epoch") else ""
    first = (
        f"Trained for {epochs} with seed {done['seed']} in {formatting.seconds(done['seconds'])} on "
        f"{plain(done['device'])}{best}. The recipe:"
    )
    rows = [(f"`{key}`", plain(str(value))) for key, value in done["recipe"].items() if value is not None]
    return f"{first}\n\n{table(('key', 'value'), rows)}"


def lineage(info: Mapping[str, Any]) -> str:
    """Return the ancestors of a trial, the trial itself first."""
    found: Sequence[Mapping[str, Any]] = info.get("lineage") or []
    if not found:
        return ""
    fixed = {"trial", "by", "parents", "moves", "retry_of", "inherited"}
    goal = next(key for key in found[0] if key not in fixed)
    rows = [
        (
            str(one["trial"]),
            plain(one["by"] or "-"),
            ", ".join(map(str, one["parents"])) or "-",
            plain("; ".join(one["moves"])) or "-",
            plain(objective.formatted(goal, one.get(goal))),
        )
        for one in found[:MOST_ROWS]
    ]
    more = f"\n\n{len(found) - MOST_ROWS} more are in `report.json`." if len(found) > MOST_ROWS else ""
    return table(("trial", "made by", "from trials", "how", f"{goal}, valid"), rows) + more
