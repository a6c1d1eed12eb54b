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
        lines.append(_verdict(best[0], trained, goal, finale_choice(records, objectives)))
    return lines


def _verdict(best: Record, references: Sequence[Record], goal: str, choice: Choice | None) -> str:
    alike = [r.reference for r in choice.alike if r.reference and r is not best] if choice else []
    if best.reference:
        return f"no network that the search found is better than the reference {best.reference}"
    found = f"trial {best.number}, which the search found,"
    if alike:
        return f"{found} is as good as the reference {alike[0]}, and smaller"
    reached = _reached(best, goal)
    equal = [r.reference for r in references if r.values is not None and _reached(r, goal) == reached]
    if equal:  # the loss may differ
        return f"{found} and the reference {equal[0]} reached the same {goal}, {reached}"
    return f"{found} is better than every reference{_unfinished(references)}"


def _reached(record: Record, goal: str) -> str:
    """Return what a network reached, as a person reads it: the mean over seeds, or the single score."""
    spread = record.finale.spread(goal) if record.finale and goal in ("accuracy", "loss") else None
    return formatted(goal, spread.mean if spread and spread.seeds > 1 else record.metrics[goal])


def _unfinished(references: Sequence[Record]) -> str:
    count = sum(record.outcome != "done" for record in references)
    return f"; {count} of these {'was' if count == 1 else 'were'} not trained to the end" if count else ""
