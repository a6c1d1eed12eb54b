"""What `genome exits` prints: a table of the exits, and sentences on accuracy, cost and latency."""

from __future__ import annotations

from collections.abc import Sequence

from genome.exits.curve import Outcome
from genome.exits.rules import Patience
from search import formatting
from search.results.exits.file import CURVE_FILE, EXITS_FILE
from search.results.exits.latency import Latency
from search.results.exits.solved import ExitRow, Found
from search.results.trained import Trained

HEAD = (
    *("exit", "reads", "params", "macs", "accuracy", "leave", "of those"),
    *("threshold", "temperature", "ECE before", "after"),
)


def exits_text(found: Found, one: Trained, onnx: Sequence[str] = ()) -> str:
    """Return the table and the sentences. one: the network.  onnx: the files for ONNX in its export."""
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
        *(_latency_line(each) for each in found.latency),
        _kept(one, onnx),
    ]
    return "\n".join([table, *lines])


def _kept(one: Trained, onnx: Sequence[str]) -> str:
    if one.folder is None:
        return f"{EXITS_FILE} is in {one.beside}; the dashboard shows it on the page of the trial"
    kept = ", ".join([EXITS_FILE, CURVE_FILE, *onnx])
    return f"{kept} are in {one.folder}; load_export gives a network that stops"


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
