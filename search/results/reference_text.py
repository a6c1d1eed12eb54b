"""What a study says of its references: what each reached, and whether the search found a better network."""

from __future__ import annotations

from collections.abc import Sequence

from search.objective import Objective, formatted, learnt
from search.storage.record import Record


def reference_lines(
    records: Sequence[Record], best: Sequence[Record], objectives: Sequence[Objective]
) -> list[str]:
    """Return what the references reached, and for one objective whether the search found a better network."""
    goal = learnt(objectives).name
    trained = [r for r in records if r.reference and r.reused is None and goal in r.metrics]
    if not trained:
        return []
    told = [
        f"{r.reference} {formatted(goal, r.metrics[goal])} (trial {r.number}, {r.outcome})" for r in trained
    ]
    lines = [f"references, {goal}: {', '.join(told)}"]
    if best and len(objectives) == 1:
        lines.append(
            f"no network that the search found is better than the reference {best[0].reference}"
            if best[0].reference
            else f"trial {best[0].number}, which the search found, is better than every reference{_unfinished(trained)}"
        )
    return lines


def _unfinished(references: Sequence[Record]) -> str:
    count = sum(record.outcome != "done" for record in references)
    return f"; {count} of these {'was' if count == 1 else 'were'} not trained to the end" if count else ""
