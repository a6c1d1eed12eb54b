"""What `genome exits` prints: a table of the exits, and sentences on accuracy, cost and latency."""

from __future__ import annotations

from collections.abc import Collection

from genome.exits.curve import Outcome
from genome.exits.rules import Patience
from search import formatting
from search.results.exits.file import EXITS_FILE
from search.results.exits.latency import Latency
from search.results.exits.solved import ExitRow, Found
from search.results.exported import CARD_FILE
from search.results.trained import Trained

HEAD = (
    *("exit", "reads", "params", "macs", "accuracy", "leave", "of those"),
    *("threshold", "temperature", "ECE before", "after"),
)


def exits_text(found: Found) -> str:
    """Return the table and the sentences."""
    rule = found.point.rule
    limits = ["-"] * len(found.rows)
    if not isinstance(rule, Patience):
        limits[:-1] = [f"{one:.4g}" for one in rule.thresholds]
    table = formatting.table(
        HEAD, [_cells(row, limit) for row, limit in zip(found.rows, limits, strict=True)]
    )
    lines = [
        "",
        _rule_line(found),
        _line("validation", found.valid, found.last[0], found.whole),
        _line("test", found.test, found.last[1], found.whole),
        *(_latency_line(one) for one in found.latency),
    ]
    return "\n".join([table, *lines])


def kept_text(one: Trained, beside: Collection[str], is_card_changed: bool) -> str:
    """Return where the thresholds are kept.

    beside: the names of the files beside exits.json.  is_card_changed: whether a person changed the card.
    """
    if one.folder is None:
        return f"{EXITS_FILE} is in {one.beside}; the dashboard shows it on the page of the trial"
    card = f"; {CARD_FILE} was changed by hand and does not tell of them" if is_card_changed else ""
    kept = ", ".join([EXITS_FILE, *beside])
    return f"{kept} are in {one.folder}; load_export gives a network that stops{card}"


def _cells(row: ExitRow, limit: str) -> list[str]:
    those = "-" if row.accuracy_of_those is None else f"{row.accuracy_of_those:.4f}"
    return [
        row.name,
        ", ".join(row.reads),
        f"{row.params:,}",
        formatting.short(row.macs),
        f"{row.accuracy:.4f}",
        f"{row.leaves:.1%}",
        those,
        limit,
        f"{row.temperature:.2f}",
        f"{row.error:.4f}",
        f"{row.error_after:.4f}",
    ]


def _rule_line(found: Found) -> str:
    rule = found.point.rule
    if isinstance(rule, Patience):
        return f"rule: patience, {rule.agree} exits in a row that name one class"
    side = "below" if rule.score == "entropy" else "above"
    share = ", one share at each exit" if found.word == "percent" else ""
    return f"rule: an image leaves where its {rule.score}, calibrated, is {side} the threshold{share}"


def _line(part: str, found: Outcome, last: float, whole: int) -> str:
    return (
        f"{part}: accuracy {found.accuracy:.4f}, the last exit alone {last:.4f} ({100 * (found.accuracy - last):+.2f} "
        f"points); mean macs {formatting.short(round(found.cost))}, {found.cost / whole:.3f}x of the whole"
    )


def _latency_line(one: Latency) -> str:
    return (
        f"latency of {formatting.some(one.images, 'image')} on one thread: {one.early:.3f} ms, "
        f"whole {one.whole:.3f} ms, {one.ratio:.2f} times as fast"
    )
