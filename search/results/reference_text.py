"""What a study says of its best network: why it is not that of the best mean, and what the references reached."""

from __future__ import annotations

from collections.abc import Sequence

from search.objective import Objective, formatted, learnt
from search.results.choice import Choice
from search.results.ranking import finale_choice
from search.storage.record import Record


def choice_text(records: Sequence[Record], objectives: Sequence[Objective]) -> str:
    """Return why the finale hands out another network than that of the best mean, empty where it does not."""
    found = finale_choice(records, objectives)
    return found.sentence() if found else ""


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
        lines.append(_verdict(best[0], trained, finale_choice(records, objectives)))
    return lines


def _verdict(best: Record, references: Sequence[Record], choice: Choice | None) -> str:
    alike = [r.reference for r in choice.alike if r.reference and r is not best] if choice else []
    if best.reference:
        return f"no network that the search found is better than the reference {best.reference}"
    if alike:
        return f"trial {best.number}, which the search found, is as good as the reference {alike[0]}, and smaller"
    return f"trial {best.number}, which the search found, is better than every reference{_unfinished(references)}"


def _unfinished(references: Sequence[Record]) -> str:
    count = sum(record.outcome != "done" for record in references)
    return f"; {count} of these {'was' if count == 1 else 'were'} not trained to the end" if count else ""
